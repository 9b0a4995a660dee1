import Foundation
import TestSupport
import Testing

extension System {
    @Suite("The command")
    struct TheCommand {
        @Test("Of several instances that start at once on an empty database one migrates, and all serve")
        func parallelStart() async throws {
            try await TestDatabase.with(.none) { database in
                let psql = try Psql(database.url)
                // The lock is held until all five have seen the empty database and want to migrate it.
                let lock = "hashtext('leads_crm.schema_migrations')"
                try await psql.query("SELECT pg_advisory_lock(\(lock))")
                async let start: Void = {
                    try await eventually("five instances wait to migrate") {
                        try await psql.number(
                            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 5
                    }
                    try await psql.query("SELECT pg_advisory_unlock(\(lock))")
                }()
                try await withInstances(5, on: database.url) { instances in
                    for (number, instance) in instances.enumerated() {
                        let answer = try await instance.client.post("/api/v1/operators", ["name": "Operator"])
                        #expect(answer.json["id"] == JSON(number + 1), "\(answer)")
                    }
                }
                try await start
                let ledger = try await psql.numbers("SELECT version FROM schema_migrations ORDER BY 1")
                #expect(ledger == Array(1...ledger.count))
            }
        }

        @Test(
            "No part of a password is printed, whatever keeps its URL from being read",
            arguments: [
                "postgresql://u:S3cr%ZZet@127.0.0.1:1/x", "postgresql://u:S3cr/ZZet@127.0.0.1:1/x",
                "postgresql://u:S3cr@ZZet@127.0.0.1:1/x", "postgresql://u:12345?S3cr/ZZet@127.0.0.1:1/x",
                "u:S3crZZet@127.0.0.1/x", "postgresq://u:S3crZZet@127.0.0.1/x", "host=127.0.0.1 password=S3cr ZZet",
                "host=127.0.0.1 passwort=S3crZZet", "host=127.0.0.1 password='S3crZZet",
                "postgresql://u:S3crZZet@127.0.0.1:1/x?a=b", "postgresql://u:S3crZZet", "postgresql://u:S3cr/ZZet",
                "postgresql://u:99912345", "postgresql://127.0.0.1:1,u:S3crZZet/x", "host=127.0.0.1 port=S3crZZet",
            ])
        func unreadableURL(url: String) async throws {
            for arguments in [
                ["serve", "--port", "0"], ["migrate"], ["check"], ["report", "waiting"], ["demo"], ["doctor"],
            ] {
                let output = try await Command.run(arguments, environment: ["DATABASE_URL": url])
                #expect(output.status == 1)
                #expect(output.description.contains("cannot be read"), "\(output)")
                for part in ["S3cr", "ZZet", "12345"] { #expect(!output.description.contains(part), "\(output)") }
            }
        }

        @Test("What takes the tables' owner says so to another role, and changes nothing")
        func notOwner() async throws {
            try await TestDatabase.with { database in
                let url = ["--database-url", database.serviceURL]
                let demo = try await Command.run(["demo"] + url)
                #expect(demo.status == 1)
                #expect(demo.standardError.contains("takes the role that owns the tables, leads_crm_owner"), "\(demo)")
                #expect(try await Command.run(["check"] + url).status == 0)
                #expect(try await Command.run(["report", "operator_load"] + url).status == 0)
                try await Psql(database.url).query("DELETE FROM schema_migrations WHERE version > 1")
                for arguments in [["migrate"], ["serve", "--port", "0"]] {
                    let output = try await Command.run(arguments + url)
                    #expect(output.status == 1)
                    #expect(output.standardError.contains("leads-crm migrate as the role that owns"), "\(output)")
                }
            }
        }

        @Test("migrate applies what is pending, once; --status says so and changes nothing")
        func migrate() async throws {
            try await TestDatabase.with(.none) { database in
                let psql = try Psql(database.url)
                let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
                let url = ["--database-url", database.url]
                let before = try await Command.run(["migrate", "--status"] + url)
                #expect(before.status == 0)
                #expect(before.standardOutput.contains("pending"))
                #expect(try await psql.number(tables) == 0)

                let unknown = try await Command.run(["migrate", "--to", "999999"] + url)
                #expect(unknown.status != 0)
                #expect(unknown.standardError.contains("999999"), "\(unknown)")
                #expect(try await psql.number(tables) == 0)

                let first = try await Command.run(["migrate", "--to", "1"] + url)
                #expect(first.status == 0, "\(first)")
                #expect(try await psql.numbers("SELECT version FROM schema_migrations") == [1])
                // The URL may as well come from the environment.
                let all = try await Command.run(["migrate"], environment: ["DATABASE_URL": database.url])
                #expect(all.status == 0, "\(all)")
                let after = try await Command.run(["migrate", "--status"] + url)
                #expect(!after.standardOutput.contains("pending"))
                let ledger = "SELECT version, name, applied_at FROM schema_migrations ORDER BY 1"
                let applied = try await psql.query(ledger)
                #expect(try await Command.run(["migrate"] + url).status == 0)
                #expect(try await psql.query(ledger) == applied)
            }
        }

        @Test("check names the counters that differ from a recount, and exits with 1")
        func check() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let source = try await crm.newSource([anna])
                try await crm.register(3, at: source)
                let url = ["--database-url", crm.database.url]
                #expect(try await Command.run(["check"] + url).status == 0)

                func setLoad(_ load: Int) async throws {
                    try await crm.psql.query(
                        """
                        BEGIN; ALTER TABLE operators DISABLE TRIGGER USER;
                        UPDATE operators SET current_load = \(load);
                        ALTER TABLE operators ENABLE TRIGGER USER; COMMIT
                        """)
                }
                try await setLoad(5)
                let load = try await Command.run(["check"] + url)
                #expect(load.status == 1)
                #expect(load.standardOutput.contains("operator \(anna)"), "\(load)")
                try await setLoad(3)

                try await crm.psql.query("UPDATE distribution_counts SET contacts_count = contacts_count + 1")
                let count = try await Command.run(["check"] + url)
                #expect(count.status == 1)
                #expect(count.standardOutput.contains("source \(source)"), "\(count)")
                try await crm.psql.query("UPDATE distribution_counts SET contacts_count = contacts_count - 1")
            }
        }

        @Test("--version and --help answer and exit with 0")
        func help() async throws {
            let version = try await Command.run(["--version"])
            #expect(version.status == 0)
            #expect(version.standardOutput.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
            let help = try await Command.run(["--help"])
            #expect(help.status == 0)
            let commands = ["serve", "migrate", "check", "report", "import-sqlite", "doctor", "demo", "loadtest"]
            for word in commands { #expect(help.standardOutput.contains("  \(word) ")) }
            for command in commands {
                let help = try await Command.run(["help", command])
                #expect(help.status == 0 && help.standardOutput.contains("EXIT STATUS"), "\(command)")
            }
            let serve = try await Command.run(["serve", "--help"])
            #expect(serve.status == 0)
            for word in ["--host", "--port", "--database-url", "DATABASE_URL", "REQUEST_TIMEOUT", "SHUTDOWN_GRACE"] {
                #expect(serve.standardOutput.contains(word))
            }
        }

        @Test(
            "The completion scripts name every command, and bash can read its own", arguments: ["bash", "zsh", "fish"])
        func completion(shell: String) async throws {
            let output = try await Command.run(["--generate-completion-script", shell])
            #expect(output.status == 0, "\(output)")
            for word in ["import-sqlite", "doctor", "demo", "database-url"] {
                #expect(output.standardOutput.contains(word), "\(word)")
            }
            guard shell == "bash" else { return }
            let directory = try ScratchDirectory.makeSubdirectory("completion")
            try Data(output.standardOutput.utf8).write(to: URL(fileURLWithPath: directory + "/script"))
            let bash = try ChildProcess(
                ["bash", "-n", directory + "/script"], in: directory, streams: .files(in: directory))
            #expect(try await bash.end() == 0)
        }

        @Test(
            "A wrong flag, setting or URL is said on standard error, and the exit status is not 0",
            arguments: [
                (["--nonsense"], [:], "--nonsense"),
                (["nonsense"], [:], "nonsense"),
                (["serve", "--port", "x"], [:], "--port"),
                (["serve", "--port", "70000"], [:], "--port"),
                (["migrate", "--to", "x"], [:], "--to"),
                (["migrate"], [:], "DATABASE_URL"),
                (["check"], [:], "DATABASE_URL"),
                (["migrate", "--database-url", "postgresql://[::1/x"], [:], "cannot be read"),
                (["migrate", "--database-url", "postgresql://127.0.0.1:1/x"], [:], "127.0.0.1"),
                (["serve", "--database-url", "postgresql://[::1/x"], [:], "cannot be read"),
                (["serve"], ["REQUEST_TIMEOUT": "soon"], "REQUEST_TIMEOUT"),
                (["serve"], ["DOCS_ASSETS_DIR": "/nowhere"], "DOCS_ASSETS_DIR: /nowhere/swagger-ui-bundle.js"),
                (["serve"], ["PORT": "soon"], "PORT"),
                (["serve"], ["ASSIGNMENT_GATE": "ajar"], "ASSIGNMENT_GATE"),
                (["serve"], ["DATABASE_POOL": "0"], "DATABASE_POOL"),
            ] as [([String], [String: String], String)])
        func wrong(arguments: [String], environment: [String: String], word: String) async throws {
            let environment = environment.merging(["HOST": "127.0.0.1"]) { given, _ in given }
            let output = try await Command.run(arguments, environment: environment)
            #expect(output.status > 0, "\(output)")
            #expect(output.standardError.contains(word), "\(output)")
            #expect(!output.standardError.contains("Fatal error"), "\(output)")
        }
    }
}
