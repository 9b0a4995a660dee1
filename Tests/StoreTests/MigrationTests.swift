import Postgres
import TestSupport
import Testing

@testable import Store

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

    @Test("Phones and emails that were stored in another form are composed, unless another lead has that value")
    func composedIdentifiers() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            _ = try Migrations.migrate(&connection, to: 6)
            let psql = try Psql(database.url)
            try await psql.query(
                """
                INSERT INTO leads (email, phone) VALUES
                    (E'e\\u0301@x', NULL), (E'\\u00e9@x', E'1\\u0438\\u0306'), (E'a\\u0308@x', E'2\\u0439'),
                    (E'\\u212b@x', NULL), (E'A\\u030a@x', NULL), ('plain@x', '3')
                """)
            _ = try Migrations.migrate(&connection)
            let leads = try await psql.query("SELECT ascii(email), ascii(right(phone, 1)) FROM leads ORDER BY id")
            // "e" with its accent stays as it was, because another lead has "é"; of the two spellings of Å the first is composed.
            #expect(
                leads == [["101", ""], ["233", "1081"], ["228", "1081"], ["197", ""], ["65", ""], ["112", "51"]])
        }
    }
}
