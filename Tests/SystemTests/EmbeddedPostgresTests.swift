import EmbeddedPostgres
import Foundation
import Postgres
import TestSupport
import Testing

extension System {
    @Suite("A private PostgreSQL")
    struct EmbeddedPostgresTests {
        private let directory: String

        init() throws {
            directory = try ScratchDirectory.makeSubdirectory("embedded") + "/cluster"
        }

        @Test("It keeps what was committed from one start to the next")
        func keepsData() async throws {
            let first = try await EmbeddedPostgres.start(in: directory)
            let psql = try Psql(first.url)
            #expect(try await psql.query("SHOW fsync") == [["on"]])
            try await psql.query("CREATE TABLE kept AS SELECT 7 AS number")
            try await first.stop()

            let second = try await EmbeddedPostgres.start(in: directory)
            #expect(try await Psql(second.url).number("SELECT number FROM kept") == 7)
            try await second.stop()
        }

        @Test("It is reached by its owner's socket only")
        func isPrivate() async throws {
            let server = try await start()
            let psql = try Psql(server.url)
            #expect(try await psql.query("SHOW listen_addresses") == [[""]])
            let socketDirectory = try #require(try await psql.query("SHOW unix_socket_directories").first?.first)
            let permissions = try FileManager.default.attributesOfItem(atPath: socketDirectory)[.posixPermissions]
            #expect(permissions as? Int == 0o700)
            try await server.stop()
        }

        @Test("What leads wrote does not come into its log, though a statement that brings it fails or is slow")
        func logsNobody() async throws {
            let server = try await EmbeddedPostgres.start(
                in: directory, settings: ["fsync": "off", "log_min_duration_statement": "0"])
            try await Psql(server.url).query("CREATE TABLE leads (email text CONSTRAINT leads_email_key UNIQUE)")
            var connection = try Connection(ConnectionConfiguration(url: server.url))
            let insert = Statement("INSERT INTO leads VALUES ($1::text)")
            _ = try connection.run(insert(.text("anna@example.org")))
            #expect(throws: PostgresError.self) { _ = try connection.run(insert(.text("anna@example.org"))) }
            let log = try String(contentsOfFile: directory + "/postgresql.log", encoding: .utf8)
            #expect(log.contains("leads_email_key") && log.contains("INSERT INTO leads VALUES ($1::text)"))
            #expect(!log.contains("anna@example.org"))
            try await server.stop()
        }

        @Test("It is shared by all who use its directory, and stopped by the last of them")
        func isShared() async throws {
            async let first = start()
            async let second = start()
            async let third = start()
            let servers = try await [first, second, third]
            let processID = try servers[0].processID
            for server in servers { #expect(try server.processID == processID) }

            try await servers[0].stop()
            try await servers[2].stop()
            #expect(try await Psql(servers[1].url).number("SELECT 1") == 1)
            try await servers[1].stop()
            #expect(throws: EmbeddedPostgresError.self) { try servers[1].processID }
        }

        @Test("It is taken over, and stopped, by the next user when its own died without stopping it")
        func isTakenOver() async throws {
            // A value that is released gives back its locks, as a process that ends would.
            let processID = try await start().processID
            let next = try await start()
            #expect(try next.processID == processID)
            try await next.stop()
            #expect(throws: EmbeddedPostgresError.self) { try next.processID }
        }

        @Test("It recovers what was committed when it was killed with kill -9")
        func recovers() async throws {
            let killed = try await EmbeddedPostgres.start(in: directory)
            try await Psql(killed.url).query("CREATE TABLE kept AS SELECT 7 AS number")
            #expect(try kill(killed.processID, SIGKILL) == 0)

            let server = try await EmbeddedPostgres.start(in: directory)
            #expect(try await Psql(server.url).number("SELECT number FROM kept") == 7)
            try await server.stop()
        }

        @Test("It is created anew when its creation was killed with kill -9")
        func survivesInterruptedCreation() async throws {
            let home = try ScratchDirectory.makeSubdirectory("interrupted")
            let command = try Command(["serve", "--port", "0"], in: home)
            try await eventually("initdb is at work") {
                let files = FileManager.default.subpaths(atPath: home + "/.leads-crm") ?? []
                return files.contains { $0.hasSuffix("/PG_VERSION") }
            }
            #expect(!FileManager.default.fileExists(atPath: home + "/.leads-crm/data"))
            command.process.signal(SIGKILL)
            try await command.process.end()

            let server = try await EmbeddedPostgres.start(in: home + "/.leads-crm")
            #expect(try await Psql(server.url).query("SELECT current_database()") == [["leads_crm"]])
            try await server.stop()
        }

        @Test(
            "It lives in directories of any name",
            arguments: ["it's \"$HOME\" `id` \\ ü%41", "a,b", String(repeating: "x", count: 120)])
        func livesAnywhere(name: String) async throws {
            let server = try await EmbeddedPostgres.start(
                in: "\(directory)\(name)", settings: ["fsync": "off", "cluster_name": "it's \"$HOME\""])
            #expect(try await Psql(server.url).query("SHOW cluster_name") == [["it's \"$HOME\""]])
            try await server.stop()
        }

        @Test("It lies behind a link where root may go and PostgreSQL's account may not", .enabled(if: geteuid() == 0))
        func liesBehindLink() async throws {
            let files = FileManager.default
            let hidden = try ScratchDirectory.makeSubdirectory("hidden")
            try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: hidden)
            let server = try await EmbeddedPostgres.start(in: hidden + "/cluster", settings: ["fsync": "off"])
            let target = try files.destinationOfSymbolicLink(atPath: hidden + "/cluster")
            defer { try? files.removeItem(atPath: target) }
            let processID = try server.processID
            let other = try await EmbeddedPostgres.start(in: hidden + "/cluster")
            #expect(try other.processID == processID)
            try await server.stop()
            try await other.stop()
        }

        @Test("It refuses data of another major version, and says which")
        func refusesOtherVersion() async throws {
            try FileManager.default.createDirectory(atPath: directory + "/data", withIntermediateDirectories: true)
            try "9\n".write(toFile: directory + "/data/PG_VERSION", atomically: false, encoding: .utf8)
            let error = try await #require(throws: EmbeddedPostgresError.self) { try await start() }
            #expect(error.description.contains("data of PostgreSQL 9,"))
        }

        @Test("It says why it does not start")
        func saysWhy() async throws {
            let error = try await #require(throws: EmbeddedPostgresError.self) {
                try await EmbeddedPostgres.start(in: directory, settings: ["fsync": "off", "shared_buffers": "much"])
            }
            #expect(error.description.contains("invalid value for parameter \"shared_buffers\": \"much\""))
        }

        /// Starts it the fast way, which is enough where no data are to survive.
        private func start() async throws -> EmbeddedPostgres {
            try await .start(in: directory, settings: ["fsync": "off"])
        }
    }
}
