import EmbeddedPostgres
import Foundation
import TestSupport
import Testing

extension System {
    @Suite("What goes wrong says what to do")
    struct Remedies {
        @Test("A port that is taken: which one, and how to take another; the private PostgreSQL is stopped again")
        func takenPort() async throws {
            try await Deployment.open { crm in
                let port = try #require(URL(string: crm.client.baseURL)?.port)
                let directory = try ScratchDirectory.makeSubdirectory("taken")
                let output = try await Command(["serve", "--port", "\(port)"], in: directory).end()
                #expect(output.status == 1)
                #expect(output.standardError.contains("127.0.0.1, port \(port) is taken"), "\(output)")
                #expect(output.standardError.contains("--port"), "\(output)")
                #expect(!output.standardError.contains("bind("), "\(output)")
                #expect(!FileManager.default.fileExists(atPath: directory + "/.leads-crm/data/postmaster.pid"))
            }
        }

        @Test("A database without migrations: leads-crm migrate", arguments: [["report", "waiting"], ["check"]])
        func notMigrated(arguments: [String]) async throws {
            try await TestDatabase.with(.none) { database in
                let output = try await Command.run(arguments + ["--database-url", database.url])
                #expect(output.status == 1)
                #expect(output.standardError.contains("→ the database lacks"), "\(output)")
                #expect(output.standardError.contains("leads-crm migrate"), "\(output)")
            }
        }

        @Test("Tables that somebody keeps locked: who does, after ten seconds")
        func locked() async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                try await psql.query("BEGIN; LOCK TABLE contacts")
                let holder = try await psql.number("SELECT pg_backend_pid()")
                let runs = try await inParallel(2) { number in
                    try await Command.run(
                        [["check"], ["report", "contacts"]][number] + ["--database-url", database.url])
                }
                for output in runs {
                    #expect(output.status == 1)
                    #expect(output.standardError.contains("process \(holder)"), "\(output)")
                }
            }
        }

        @Test("A wrong password, a missing database, a user who is not let in and a missing server are told apart")
        func refusals() async throws {
            let directory = try ScratchDirectory.makeSubdirectory("passwords")
            let rules = "local all leads_crm trust\nlocal all guest scram-sha-256\n"
            try Data(rules.utf8).write(to: URL(fileURLWithPath: directory + "/rules"))
            let postgres = try await EmbeddedPostgres.start(
                in: directory, settings: ["hba_file": directory + "/rules", "fsync": "off"])
            try await Psql(postgres.url).query("CREATE ROLE guest LOGIN PASSWORD 'r1ght'")
            func url(_ user: String, _ database: String) -> String {
                postgres.url.replacing("leads_crm@/leads_crm", with: "\(user)@/\(database)")
            }
            for (url, remedy) in [
                (url("guest:s3cret", "leads_crm"), "the user or the password is wrong"),
                (url("guest:r1ght", "nowhere"), "there is no such database"),
                (url("stranger", "leads_crm"), "pg_hba.conf"),
                ("postgresql://guest:s3cret@127.0.0.1:1/x", "see that PostgreSQL runs there"),
            ] {
                for arguments in [["check"], ["doctor"]] {
                    let output = try await Command.run(
                        arguments, environment: ["DATABASE_URL": url, "PORT": "0"])
                    #expect(output.status == 1)
                    #expect("\(output)".contains(remedy), "\(output)")
                    #expect(!"\(output)".contains("s3cret") && !"\(output)".contains("connection to PostgreSQL lost"))
                }
            }
            try await postgres.stop()
        }

        @Test("A load test where nothing listens says so")
        func nothingListens() async throws {
            let output = try await Command.run(["loadtest", "--url", "http://127.0.0.1:1"])
            #expect(output.status == 1)
            #expect(output.standardError.contains("leads-crm serve"), "\(output)")
        }
    }
}
