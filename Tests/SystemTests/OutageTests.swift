import EmbeddedPostgres
import Foundation
import TestSupport
import Testing

extension System {
    @Suite("The database gone and back")
    struct Outage {
        /// How the postmaster ends.
        enum End: CaseIterable {
            case immediateShutdown, crash

            var signal: Int32 { self == .crash ? SIGKILL : SIGQUIT }
        }

        @Test(
            "While the database is gone the answer is 503 in time; when it is back all goes on, and nothing is lost",
            arguments: End.allCases)
        func gone(_ end: End) async throws {
            // fsync stays on, because what is acknowledged must survive.
            let directory = try ScratchDirectory.makeSubdirectory("outage")
            let postgres = try await EmbeddedPostgres.start(in: directory)
            try await withInstances(2, on: postgres.url, environment: ["REQUEST_TIMEOUT": "2"]) { instances in
                let client = instances[0].client
                let source = try await client.post("/api/v1/sources", ["name": "Bot"]).json["id"].int
                let traffic = RegistrationTraffic(instances.map(\.client), source: try #require(source))
                let restarted = try await traffic.flow(width: 16) {
                    try await traffic.advance(by: 100)
                    kill(try postgres.processID, end.signal)
                    try await eventually("registrations are refused") { traffic.refusals.count >= 32 }
                    for path in ["/api/v1/operators", "/api/v1/contacts/1", "/api/v1/leads", "/readyz"] {
                        let start = ContinuousClock.now
                        expectUnavailable(try await client.get(path), after: .now - start)
                    }
                    let restarted = try await EmbeddedPostgres.start(in: directory)
                    try await traffic.advance(by: 100)
                    return restarted
                }
                #expect(traffic.unanswered(by: 0) + traffic.unanswered(by: 1) == 0)
                for refusal in traffic.refusals { expectUnavailable(refusal.answer, after: refusal.duration) }
                try await traffic.expectStored(try Psql(restarted.url))
                let check = try await Command.run(["check", "--database-url", restarted.url])
                #expect(check.status == 0, "\(check)")
                for instance in instances { #expect(try await instance.stop() == 0) }
                try await restarted.stop()
            }
            try await postgres.stop()
        }

        @Test("While PostgreSQL stands still every answer is 503 in time, and when it goes on so does the service")
        func standsStill() async throws {
            let postgres = try await EmbeddedPostgres.start(in: ScratchDirectory.makeSubdirectory("still"))
            try await withInstances(1, on: postgres.url, environment: ["REQUEST_TIMEOUT": "2"]) { instances in
                let client = instances[0].client
                let source = try #require(try await client.post("/api/v1/sources", ["name": "Bot"]).json["id"].int)
                #expect(try await client.post("/api/v1/contacts", ["source_id": JSON(source)]).status == 201)
                let server = try postgres.processID
                let children = try String(contentsOfFile: "/proc/\(server)/task/\(server)/children", encoding: .utf8)
                let processes = [server] + children.split(separator: " ").compactMap { Int32($0) }
                for process in processes { kill(process, SIGSTOP) }
                // The first that comes finds an open connection, the next ones have to connect.
                for _ in 1...3 {
                    for path in ["/api/v1/operators", "/api/v1/contacts/1", "/readyz"] {
                        let start = ContinuousClock.now
                        expectUnavailable(try await client.get(path), after: .now - start)
                    }
                    let start = ContinuousClock.now
                    let answer = try await client.post("/api/v1/contacts", ["source_id": JSON(source)])
                    expectUnavailable(answer, after: .now - start)
                }
                for process in processes { kill(process, SIGCONT) }
                try await eventually("the service is back", within: .seconds(10)) {
                    try await client.post("/api/v1/contacts", ["source_id": JSON(source)]).status == 201
                }
            }
            try await postgres.stop()
        }

        /// - Parameter duration: How long the answer took: `REQUEST_TIMEOUT`, which is 2 s, and a little at most.
        private func expectUnavailable(_ answer: Client.Response, after duration: Duration) {
            #expect(answer.status == 503, "\(answer)")
            #expect(answer.json.keys == ["detail", "code"], "\(answer)")
            #expect(
                answer[header: "retry-after"] == (answer.json["code"] == "outcome_unknown" ? nil : "1"), "\(answer)")
            #expect(duration < .seconds(3.5))
        }

        @Test("Connections that the server ends in a burst are opened again, and nothing is lost or doubled")
        func terminatedConnections() async throws {
            try await Deployment.open(instances: 2) { crm in
                let source = try await crm.newSource([crm.newOperator(maxLoad: 1_000_000)])
                let traffic = RegistrationTraffic(crm.instances.map(\.client), source: source)
                try await traffic.flow(width: 32) {
                    for _ in 1...20 {
                        try await traffic.advance(by: 20)
                        try await crm.psql.query(
                            """
                            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid()
                            """)
                    }
                    try await traffic.advance(by: 50)
                }
                #expect(traffic.unanswered(by: 0) + traffic.unanswered(by: 1) == 0)
                #expect(traffic.refusals.allSatisfy { $0.answer.status == 503 }, "\(traffic.refusals)")
                try await traffic.expectStored(crm.psql)
            }
        }
    }
}
