import Logging
import Postgres
import Store
import TestSupport
import Testing

@testable import CRM

/// Maintenance on a real PostgreSQL.
@Suite struct MaintenanceTests {
    @Test("What is due is taken by one session, and by another when it is due again")
    func lease() async throws {
        try await TestDatabase.with { database in
            var first = try Connection(ConnectionConfiguration(url: database.serviceURL))
            var second = try Connection(ConnectionConfiguration(url: database.serviceURL))
            let claim = ClaimMaintenance("job", every: .seconds(60))
            #expect(try claim.run(on: &first))
            #expect(try !claim.run(on: &first) && !claim.run(on: &second))
            try await Psql(database.url).query("UPDATE maintenance_jobs SET due_at = now()")
            #expect(try claim.run(on: &second))
            #expect(try !claim.run(on: &first))
            try await Psql(database.url).query("UPDATE maintenance_jobs SET due_at = now() + interval '1 hour'")
            #expect(try claim.run(on: &first), "the clock was set back")
        }
    }

    @Test("Batches are forgotten an hour after they committed, a part at a time")
    func oldBatches() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await psql.query(
                """
                INSERT INTO assignment_batches (id, attempt, created_at)
                SELECT gen_random_uuid(), 1, now() - n * interval '1 minute' FROM generate_series(1, 7000) AS n
                """)
            let configuration = CRM.Configuration(connection: ConnectionConfiguration(url: database.serviceURL))
            let crm = CRM(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let service = Task { try await crm.run() }
            try await eventually("old batches are gone") {
                try await psql.number("SELECT count(*) FROM assignment_batches") < 61
            }
            #expect(try await psql.number("SELECT count(*) FROM assignment_batches") >= 59)
            service.cancel()
            try? await service.value
        }
    }
}
