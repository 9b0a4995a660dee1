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

    @Test("Shares are counted of the contacts that are there before they are")
    func sharesAreCounted() async throws {
        try await TestDatabase.with(.none) { database in
            let psql = try Psql(database.url)
            var connection = try connect(database)
            let strategies = Migrations.all.first { $0.name == "strategies" }!
            _ = try Migrations.migrate(&connection, to: strategies.version - 1)
            try await psql.query("INSERT INTO operators (name) VALUES ('a'), ('b')")
            try await psql.query("INSERT INTO sources (name) VALUES ('s'), ('t')")
            try await psql.query("INSERT INTO leads (name) VALUES ('l')")
            try await psql.query(
                """
                INSERT INTO contacts (lead_id, source_id, operator_id, status) VALUES (1, 1, 1, 'active'),
                (1, 1, 1, 'active'), (1, 1, 1, 'closed'), (1, 2, 1, 'active'), (1, 2, 2, 'closed'), (1, 2, NULL, 'active')
                """)
            _ = try Migrations.migrate(&connection)
            #expect(try Check().run(on: &connection) == [])
            let counts = "SELECT active_count FROM distribution_counts ORDER BY source_id, operator_id"
            #expect(try await psql.numbers(counts) == [2, 1, 0, 0])
        }
    }

    @Test("A migration that meets a locked table makes nobody wait behind it, and goes on when the table is free")
    func lockedTable() async throws {
        try await TestDatabase.with(.none) { database in
            let psql = try Psql(database.url)
            var connection = try connect(database)
            _ = try Migrations.migrate(&connection, to: 5)
            try await psql.query("BEGIN")
            try await psql.query("INSERT INTO assignment_batches (id, attempt) VALUES (gen_random_uuid(), 1)")
            let refusal = #expect(throws: Migrations.Failure.self) {
                var connection = try connect(database)
                _ = try Migrations.migrate(&connection, patience: .milliseconds(300))
            }
            guard case .locked(version: 6, by: let holders)? = refusal else {
                return #expect(Bool(false), "\(refusal as Any)")
            }
            #expect(holders.count == 1 && holders[0].contains("psql"), "\(holders)")
            // On a thread of its own: one that waits must not keep those that the other tests have.
            async let migrated: [Int32] = withCheckedThrowingContinuation { continuation in
                startThread {
                    continuation.resume(
                        with: Result {
                            var connection = try connect(database)
                            return try Migrations.migrate(&connection)
                        })
                }
            }
            let writer = try Psql(database.url)
            try await writer.query("SET statement_timeout = '20s'")
            for _ in 1...20 {
                try await writer.query("INSERT INTO assignment_batches (id, attempt) VALUES (gen_random_uuid(), 1)")
            }
            try await psql.query("COMMIT")
            #expect(try await migrated.first == 6)
        }
    }

    @Test(
        "Phones that were stored with what is not seen, and digits of other scripts, become plain, if nobody has that phone"
    )
    func copiedPhones() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            _ = try Migrations.migrate(&connection, to: 9)
            let psql = try Psql(database.url)
            let digits = "\u{967}\u{662}\u{FF13}\u{1D7F0}"
            try await psql.query(
                """
                INSERT INTO leads (phone) VALUES
                    ('+7\u{200B}1\u{2066}'), ('\u{FF0B}\(digits)'), ('\u{FF08}8\u{FF09}9\u{AD}'), ('89'), ('\u{200E}'), ('4')
                """)
            _ = try Migrations.migrate(&connection)
            let phones = try await psql.query("SELECT phone FROM leads ORDER BY id").map { $0[0] }
            #expect(phones == ["+71", "+1234", "\u{FF08}8\u{FF09}9\u{AD}", "89", "\u{200E}", "4"])
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
