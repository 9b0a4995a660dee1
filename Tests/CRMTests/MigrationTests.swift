import Postgres
import TestSupport
import Testing

@testable import CRM

@Suite struct MigrationTests {
    private func connect(_ database: TestDatabase) throws -> Connection {
        try Connection(ConnectionConfiguration(url: database.url))
    }

    @Test("A database is migrated once, then left alone")
    func twice() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            #expect(try Migrations.status(&connection).allSatisfy { $0.appliedAt == nil })
            #expect(try Migrations.migrate(&connection) == Migrations.all.map(\.version))
            #expect(try Migrations.migrate(&connection) == [])
            #expect(try Migrations.status(&connection).allSatisfy { $0.appliedAt != nil })
        }
    }

    @Test("A migration that was changed after it had been applied is refused")
    func changedMigration() async throws {
        try await TestDatabase.with { database in
            try await Psql(database.url).query("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")
            #expect(throws: Migrations.Failure.changed(version: 1)) {
                var connection = try connect(database)
                _ = try Migrations.migrate(&connection)
            }
        }
    }

    @Test("A version that does not exist is told")
    func unknownVersion() async throws {
        try await TestDatabase.with(.none) { database in
            _ = #expect(throws: Migrations.Failure.unknownVersion(99)) {
                var connection = try connect(database)
                _ = try Migrations.migrate(&connection, to: 99)
            }
        }
    }
}
