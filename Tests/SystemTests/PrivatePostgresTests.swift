import EmbeddedPostgres
import Foundation
import TestSupport
import Testing

extension System {
    @Suite("serve without a database URL")
    struct PrivatePostgres {
        @Test(
            "It makes a PostgreSQL in .leads-crm, stops it with itself, and finds the data again, also after kill -9 of both"
        )
        func survives() async throws {
            let directory = try ScratchDirectory.makeSubdirectory("empty")
            let first = try await start(in: directory)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [".leads-crm"])
            #expect(try await first.client.post("/api/v1/operators", ["name": "Анна"]).status == 201)
            let postmaster = try postmaster(in: directory)
            #expect(isRunning(postmaster))
            #expect(try await first.stop(SIGINT) == 0)
            #expect(!isRunning(postmaster))

            let second = try await start(in: directory)
            #expect(try await second.client.get("/api/v1/operators/1").json["name"] == "Анна")
            #expect(try await second.client.post("/api/v1/operators", ["name": "Борис"]).status == 201)
            let killed = try self.postmaster(in: directory)
            kill(killed, SIGKILL)
            try await second.kill()
            try await eventually("the postmaster is gone") { !isRunning(killed) }

            let third = try await start(in: directory)
            let names = try await third.client.get("/api/v1/operators").json.elements.map { $0["name"] }
            #expect(names == ["Анна", "Борис"])
            let last = try self.postmaster(in: directory)
            #expect(try await third.stop(SIGTERM) == 0)
            #expect(!isRunning(last))
        }

        @Test("It serves as a role that cannot write counters, and a folder of a superuser's goes to the owner")
        func roles() async throws {
            let directory = try ScratchDirectory.makeSubdirectory("roles")
            let server = try await EmbeddedPostgres.start(in: directory + "/.leads-crm", settings: ["fsync": "off"])
            // Versions that knew one role only left the data like this.
            let old = try await Command.run(["migrate", "--to", "6", "--database-url", server.url])
            #expect(old.status == 0, "\(old)")
            try await Psql(server.url).query("INSERT INTO operators (name) VALUES ('Анна')")
            let instance = try await start(in: directory)
            #expect(try await instance.client.patch("/api/v1/operators/1", ["max_load": 3]).status == 200)
            let users = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'leads-crm' ORDER BY 1"
            #expect(try await Psql(server.url).query(users) == [["leads_crm_service"]])
            let printed = try #require(
                instance.command.standardOutput.split(separator: "'").first { $0.hasPrefix("postgresql:") })
            let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
            #expect(try await Psql(String(printed)).query(owners) == [["leads_crm_owner"]])
            #expect(try await instance.stop() == 0)
            try await server.stop()
        }

        @Test("After kill -9 of the instance alone, the next start uses the PostgreSQL that it left, and stops it")
        func leftBehind() async throws {
            let directory = try ScratchDirectory.makeSubdirectory("empty")
            let first = try await start(in: directory)
            #expect(try await first.client.post("/api/v1/operators", ["name": "Анна"]).status == 201)
            try await first.kill()
            let postmaster = try postmaster(in: directory)
            let second = try await start(in: directory)
            #expect(try await second.client.get("/api/v1/operators/1").json["name"] == "Анна")
            #expect(try self.postmaster(in: directory) == postmaster)
            #expect(try await second.stop(SIGINT) == 0)
            #expect(!isRunning(postmaster))
        }

        @Test("Every command uses it without being told: it runs for the command alone, or as long as an instance does")
        func commands() async throws {
            let directory = try ScratchDirectory.makeSubdirectory("commands")
            let demo = try await run(["demo", "--contacts", "1", "--days", "1"], in: directory)
            #expect(demo.status == 0 && demo.standardOutput.hasPrefix("1 contact of 1 lead over 1 day, "), "\(demo)")
            let commands = [
                (["report", "contacts"], "(1 row)"), (["check"], "all counters agree"), (["migrate"], "up to date"),
                (["doctor"], "database leads_crm"),
            ]
            for (arguments, word) in commands {
                let output = try await run(arguments, in: directory)
                #expect(output.status == 0 && output.standardOutput.contains(word), "\(arguments): \(output)")
                #expect((try? postmaster(in: directory)) == nil, "\(arguments) leaves it running")
            }
            let instance = try await start(in: directory)
            let postmaster = try postmaster(in: directory)
            for (arguments, word) in commands {
                let output = try await run(arguments, in: directory)
                #expect(output.status == 0 && output.standardOutput.contains(word), "\(arguments): \(output)")
                #expect(try self.postmaster(in: directory) == postmaster && isRunning(postmaster))
            }
            #expect(try await instance.stop() == 0)
        }

        @Test(
            "Where there is none, commands that need data make none and say what to do",
            arguments: [["report", "waiting"], ["check"], ["migrate"], ["import-sqlite", "app.db"]])
        func missing(arguments: [String]) async throws {
            let directory = try ScratchDirectory.makeSubdirectory("nothing")
            let output = try await run(arguments, in: directory)
            #expect(output.status == 1)
            for word in ["There is no database", "--database-url", "leads-crm serve"] {
                #expect(output.standardError.contains(word), "\(output)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
        }

        private func run(_ arguments: [String], in directory: String) async throws -> Command.Output {
            try await Command(arguments, environment: ["PORT": "0"], in: directory).end()
        }

        private func start(in directory: String) async throws -> Instance {
            let instance = try await Instance.start(databaseURL: nil, in: directory)
            TestInstances.add(instance)
            return instance
        }

        private func postmaster(in directory: String) throws -> pid_t {
            let file = try String(contentsOfFile: directory + "/.leads-crm/data/postmaster.pid", encoding: .utf8)
            return try #require(file.split(separator: "\n").first.flatMap { pid_t($0) })
        }

        /// Whether a process runs; one that has ended and that nobody has waited for does not.
        private func isRunning(_ process: pid_t) -> Bool {
            let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
            return stat.map { !$0.contains(") Z ") } ?? false
        }
    }
}
