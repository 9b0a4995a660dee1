import Foundation
import TestSupport
import Testing

extension System {
    @Suite("Readiness")
    struct Readiness {
        @Test("An instance is ready while the database has its migrations and can be written; it says what is wrong")
        func ready() async throws {
            try await Deployment.open { crm in
                func expectUnready(_ code: String, _ reason: String) async throws {
                    let answer = try await crm.client.get("/readyz")
                    #expect(answer.status == 503)
                    #expect(answer.json == ["detail": .string(reason), "code": .string(code)])
                    #expect(try await crm.client.get("/livez").status == 200)
                }
                #expect(try await crm.client.get("/readyz").status == 200)

                let turn = "UPDATE schema_migrations SET version = -version"
                try await crm.psql.query(turn)
                try await expectUnready("migrations_pending", "The database lacks migrations of this version")
                try await crm.psql.query(turn)
                #expect(try await crm.client.get("/readyz").status == 200)

                // A session that is open already learns of a primary that was demoted in the same way.
                let database = try await crm.psql.query("SELECT current_database()")[0][0]
                let role = "leads_crm_service"
                try await crm.psql.query(
                    "ALTER ROLE \(role) IN DATABASE \(database) SET default_transaction_read_only = on")
                try await crm.psql.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leads-crm' AND datname = current_database()"
                )
                try await expectUnready("database_unavailable", "The database is not available; try again")
                try await crm.psql.query(
                    "ALTER ROLE \(role) IN DATABASE \(database) RESET default_transaction_read_only")
                #expect(try await crm.client.get("/readyz").status == 200)
            }
        }

        @Test("After SIGTERM an instance is not ready first, goes on serving for SHUTDOWN_DELAY, and exits with 0")
        func draining() async throws {
            try await Deployment.open(environment: ["SHUTDOWN_DELAY": "2"]) { crm in
                let source = try await crm.newSource([crm.newOperator(maxLoad: 1)])
                crm.instances[0].command.process.signal(SIGTERM)
                try await eventually("the instance is not ready") {
                    try await crm.client.get("/readyz").status == 503
                }
                let answer = try await crm.client.get("/readyz")
                #expect(answer.json == ["detail": "The service is shutting down", "code": "shutting_down"])
                #expect(try await crm.client.post("/api/v1/contacts", ["source_id": JSON(source)]).status == 201)
                #expect(try await crm.instances[0].command.process.end() == 0)
            }
        }

        @Test("Requests that are not done within SHUTDOWN_GRACE do not keep an instance from ending")
        func grace() async throws {
            try await Deployment.open(environment: ["SHUTDOWN_GRACE": "0.5", "REQUEST_TIMEOUT": "60"]) { crm in
                let source = try await crm.newSource([crm.newOperator(maxLoad: 1)])
                let blocker = try Psql(crm.database.url)
                try await blocker.query("BEGIN")
                try await blocker.query("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE")
                let request = Task { try await crm.client.post("/api/v1/contacts", ["source_id": JSON(source)]) }
                try await eventually("a transaction waits for the lock") {
                    try await crm.psql.number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
                }
                crm.instances[0].command.process.signal(SIGTERM)
                #expect(try await crm.instances[0].command.process.end() == 0)
                try await blocker.query("COMMIT")
                _ = await request.result
            }
        }
    }
}
