import EmbeddedPostgres
import Foundation
import TestSupport
import Testing

@testable import LeadsCRM

extension System {
    @Suite("doctor")
    struct Doctors {
        private func run(_ url: String, _ environment: [String: String] = [:]) async throws -> Command.Output {
            let environment = environment.merging(["DATABASE_URL": url, "PORT": "0"]) { given, _ in given }
            return try await Command.run(["doctor"], environment: environment)
        }

        /// The finding on a subject: its line and the remedy's.
        private func finding(_ subject: String, in output: Command.Output) -> String? {
            let lines = output.standardOutput.split(separator: "\n")
            guard let index = lines.firstIndex(where: { $0.dropFirst(6).hasPrefix(subject) }) else { return nil }
            return lines[index...].prefix(2).joined(separator: "\n")
        }

        @Test("All is well on a migrated database: nothing fails, and nothing is coloured in a file")
        func healthy() async throws {
            try await TestDatabase.with { database in
                let output = try await run(database.url)
                #expect(output.status == 0, "\(output)")
                #expect(!output.standardOutput.contains("FAIL") && !output.standardOutput.contains("\u{1b}"))
                for subject in [
                    "settings", "open files", "address", "connection", "version", "writing", "encoding", "durability",
                    "isolation", "logging", "clock", "connections", "predicate locks", "pooler", "migrations", "rights",
                    "role",
                    "triggers",
                    "counters",
                ] { #expect(finding(subject, in: output) != nil, "\(subject): \(output)") }
                // The tests' own PostgreSQL runs without fsync.
                #expect(finding("durability", in: output)?.contains("ALTER SYSTEM RESET fsync") == true, "\(output)")
            }
        }

        @Test(
            "What is wrong with the database is a failure that says how to mend it",
            arguments: [
                ("DELETE FROM schema_migrations WHERE version = 3", "migrations", "leads-crm migrate"),
                ("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1", "migrations", "was changed"),
                (
                    "ALTER TABLE operators DISABLE TRIGGER operators_no_overload", "triggers",
                    "ALTER TABLE operators ENABLE TRIGGER operators_no_overload"
                ),
                ("DROP TRIGGER contacts_updated ON contacts", "triggers", "contacts_updated on contacts is missing"),
                (
                    "INSERT INTO sources (name) VALUES ('s'); INSERT INTO distribution_counts VALUES (1, NULL, 7)",
                    "counters", "leads-crm check --repair"
                ),
                ("ALTER DATABASE \u{1} SET default_transaction_read_only = on", "writing", "ALTER DATABASE"),
                ("ALTER DATABASE \u{1} CONNECTION LIMIT 3", "connections", "DATABASE_POOL"),
            ])
        func failures(fault: String, subject: String, remedy: String) async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                let name = try await psql.query("SELECT current_database()")[0][0]
                try await psql.query(fault.replacing("\u{1}", with: name))
                let output = try await run(database.url)
                #expect(output.status == 1)
                let found = finding(subject, in: output)
                #expect(found?.hasPrefix("FAIL") == true && found?.contains(remedy) == true, "\(output)")
            }
        }

        @Test("Whose open transaction keeps predicate locks is told, by doctor and metrics, to the service's role too")
        func oldSnapshot() async throws {
            // Other tests' sessions have snapshots, too: this one is alone.
            let postgres = try await EmbeddedPostgres.start(in: ScratchDirectory.makeSubdirectory("snapshot"))
            let psql = try Psql(postgres.url)
            let holder = try Psql(postgres.url)
            try await holder.query("BEGIN ISOLATION LEVEL SERIALIZABLE")
            let process = try await holder.query("SELECT pg_backend_pid()")[0][0]
            try await psql.query("CREATE ROLE somebody LOGIN")
            let url = postgres.url(role: "somebody")
            #expect(finding("predicate locks", in: try await run(url))?.hasPrefix("ok") == true)
            try await psql.query(
                "DO $$ BEGIN FOR i IN 1..1100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
            let found = finding("predicate locks", in: try await run(url))
            #expect(found?.contains("process \(process)") == true && found?.hasPrefix("warn") == true, "\(found ?? "")")
            try await withInstances(1, on: postgres.url) { instances in
                let page = try await instances[0].client.get("/metrics").text
                #expect(page.contains("leads_crm_oldest_snapshot_age_transactions{process=\"\(process)\""), "\(page)")
            }
            try await postgres.stop()
        }

        @Test("A superuser, the owner and whoever may write counters are a warning; the service's role is none")
        func roles() async throws {
            try await TestDatabase.with { database in
                for (url, word) in [(database.url, "is a superuser"), (database.ownerURL, "owns the tables")] {
                    let output = try await run(url)
                    #expect(output.status == 0)
                    let found = finding("role", in: output)
                    #expect(found?.hasPrefix("warn") == true && found?.contains(word) == true, "\(output)")
                    #expect(found?.contains("leads_crm_service in DATABASE_URL") == true, "\(output)")
                }
                #expect(finding("role", in: try await run(database.serviceURL))?.hasPrefix("ok") == true)
                let psql = try Psql(database.url)
                for (privilege, table) in [
                    ("DELETE", "contact_events"), ("TRIGGER", "contacts"), ("TRUNCATE", "contacts"),
                    ("TRIGGER", "maintenance_jobs"), ("DELETE", "schema_migrations"),
                ] {
                    try await psql.query("GRANT \(privilege) ON \(table) TO leads_crm_service")
                    let output = try await run(database.serviceURL)
                    #expect(finding("role", in: output)?.hasPrefix("warn") == true, "\(output)")
                    try await psql.query("REVOKE \(privilege) ON \(table) FROM leads_crm_service")
                }
            }
        }

        @Test("Settings by which PostgreSQL's log would get parameters or details of errors are a warning")
        func logging() async throws {
            try await TestDatabase.with { database in
                #expect(finding("logging", in: try await run(database.serviceURL))?.hasPrefix("ok") == true)
                let psql = try Psql(database.url)
                let name = try await psql.query("SELECT current_database()")[0][0]
                for (setting, value, safe) in [
                    ("log_error_verbosity", "default", "terse"), ("log_parameter_max_length_on_error", "80", "0"),
                ] {
                    try await psql.query("ALTER DATABASE \(name) SET \(setting) = '\(value)'")
                    let output = try await run(database.serviceURL)
                    #expect(output.status == 0)
                    let found = finding("logging", in: output)
                    #expect(found?.hasPrefix("warn") == true, "\(output)")
                    #expect(found?.contains("ALTER SYSTEM SET \(setting) = \(safe);") == true, "\(output)")
                }
                // PostgreSQL logs parameters only if it logs statements.
                try await psql.query("ALTER DATABASE \(name) SET log_parameter_max_length = -1")
                #expect(!(try await run(database.serviceURL)).standardOutput.contains("SET log_parameter_max_length ="))
                try await psql.query("ALTER DATABASE \(name) SET log_min_duration_statement = '1min'")
                let output = try await run(database.serviceURL)
                #expect(
                    finding("logging", in: output)?.contains("SET log_parameter_max_length = 0;") == true, "\(output)")
            }
        }

        @Test("Who cannot migrate is told who can")
        func pendingForService() async throws {
            try await TestDatabase.with { database in
                try await Psql(database.url).query("DELETE FROM schema_migrations WHERE version = 3")
                let output = try await run(database.serviceURL)
                #expect(output.status == 1)
                #expect(output.standardOutput.contains("leads-crm migrate as leads_crm_owner"), "\(output)")
            }
        }

        @Test("The service's role on an empty database is told to migrate, and to be granted nothing")
        func empty() async throws {
            try await TestDatabase.with(.none) { database in
                let output = try await run(database.serviceURL)
                #expect(output.status == 1)
                #expect(finding("migrations", in: output)?.contains("leads-crm migrate") == true, "\(output)")
                #expect(!output.standardOutput.contains("GRANT"), "\(output)")
            }
        }

        @Test("What others planted in public is not run")
        func planted() async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                for signature in [
                    "format(text, name)", "format(text, name, text)", "format(text, name, name)", "unnest(text[])",
                    "has_schema_privilege(name, text)", "has_database_privilege(name, text)",
                ] {
                    try await psql.query(
                        """
                        CREATE FUNCTION public.\(signature) RETURNS boolean LANGUAGE plpgsql
                        AS $$BEGIN RAISE EXCEPTION 'ran as %', current_user; END$$
                        """)
                }
                let output = try await run(database.url)
                #expect(output.status == 0, "\(output)")
                try await psql.query("DROP TABLE assignment_gate")
                try await psql.query("ALTER TABLE schema_migrations RENAME TO ledger")
                #expect(!(try await run(database.url)).standardOutput.contains("ran as"))
            }
        }

        @Test("A database that a newer program has migrated is a warning")
        func newer() async throws {
            try await TestDatabase.with { database in
                try await Psql(database.url).query(
                    "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'later', 'x')")
                let output = try await run(database.url)
                #expect(output.status == 0)
                #expect(finding("migrations", in: output)?.hasPrefix("warn") == true, "\(output)")
            }
        }

        @Test("A user without rights is told the GRANTs")
        func rights() async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                let role = "guest_" + UUID().uuidString.prefix(8).lowercased()
                try await psql.query("CREATE ROLE \(role) LOGIN")
                var url = try #require(URLComponents(string: database.url))
                url.user = role
                let output = try await run(try #require(url.string))
                #expect(output.status == 1)
                let found = finding("rights", in: output)
                #expect(
                    found?.hasPrefix("FAIL") == true && found?.contains("GRANT leads_crm_service TO \(role)") == true,
                    "\(output)")
                try await psql.query("DROP ROLE \(role)")
            }
        }

        @Test(
            "No server, no such database, a URL that cannot be read: told, with the host, without the password",
            arguments: [
                ("postgresql://u:s3cret@127.0.0.1:1/x", "127.0.0.1"),
                ("postgresql://u:s3c%ret@127.0.0.1/x", "cannot be read"),
                ("postgresql://u:s3c/ret@127.0.0.1/x", "cannot be read"),
                ("host=127.0.0.1 port=1 password=s3cret s3cret", "cannot be read"),
            ])
        func noServer(url: String, word: String) async throws {
            let output = try await run(url)
            #expect(output.status == 1)
            let found = finding("connection", in: output)
            #expect(found?.hasPrefix("FAIL") == true && found?.contains(word) == true, "\(output)")
            #expect(!output.description.contains("s3c"), "\(output)")
        }

        @Test("Every setting that is wrong is a failure; a taken port is a warning")
        func environment() async throws {
            try await Deployment.open { crm in
                let names = settings.all.map(\.name).filter { !["HOST", "DATABASE_URL"].contains($0) }
                let output = try await run(
                    crm.database.url, Dictionary(uniqueKeysWithValues: names.map { ($0, "soon,") }))
                #expect(output.status == 1)
                let failures = output.standardOutput.split(separator: "\n").filter { $0.hasPrefix("FAIL") }
                #expect(
                    Set(failures.map { $0.split(separator: " ")[2].filter { $0 != ":" } }) == Set(names), "\(output)")
                let port = try #require(URLComponents(string: crm.client.baseURL)?.port)
                let taken = try await run(crm.database.url, ["PORT": String(port)])
                #expect(taken.status == 0)
                #expect(finding("address", in: taken)?.hasPrefix("warn") == true, "\(taken)")
            }
        }

        @Test("check --repair sets wrong counters to a recount, a load over the limit too, and leaves the guards on")
        func repair() async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                for statement in [
                    "INSERT INTO operators (name, max_load) VALUES ('a', 1), ('b', 1)",
                    "INSERT INTO sources (name) VALUES ('s')", "INSERT INTO leads (name) VALUES ('l')",
                    "SET session_replication_role = replica",
                    "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1), (1, 1, 1), (1, 1, NULL)",
                    "SET session_replication_role = origin",
                ] { try await psql.query(statement) }
                let url = ["--database-url", database.url]
                let repair = try await Command.run(["check", "--repair"] + url)
                #expect(repair.status == 0, "\(repair)")
                #expect(try await Command.run(["check"] + url).status == 0)
                #expect(try await psql.numbers("SELECT current_load FROM operators ORDER BY id") == [2, 0])
                #expect(finding("triggers", in: try await run(database.url))?.hasPrefix("ok") == true)
            }
        }
    }
}
