import Postgres
import TestSupport
import Testing

@testable import Store

/// What the schema itself refuses and counts, whoever writes.
@Suite struct GuardTests {
    private func withDesk(_ body: (Psql, TestDatabase) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await psql.query("INSERT INTO operators (name, max_load) VALUES ('a', 2), ('b', 3)")
            try await psql.query("INSERT INTO sources (name) VALUES ('s'), ('t')")
            try await psql.query("INSERT INTO leads (name) VALUES ('l')")
            try await psql.query(
                """
                INSERT INTO contacts (lead_id, source_id, operator_id, status) VALUES
                (1, 1, 1, 'active'), (1, 1, 1, 'closed'), (1, 1, 2, 'active'), (1, 2, NULL, 'active')
                """)
            try await body(psql, database)
        }
    }

    private func differences(_ database: TestDatabase) throws -> [String] {
        var connection = try Connection(ConnectionConfiguration(url: database.url))
        return try Check().run(on: &connection)
    }

    @Test(
        "Nobody passes max_load, in any isolation level",
        arguments: ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"],
        [
            "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1), (1, 1, 1)",
            "UPDATE contacts SET operator_id = 1, status = 'active'",
            "UPDATE operators SET current_load = 0",
            "UPDATE operators SET current_load = 1 WHERE id = 2",
            "INSERT INTO operators (name, current_load) VALUES ('c', 1)",
            "UPDATE operators SET max_load = 0",
        ])
    func overloadIsRefused(isolation: String, statement: String) async throws {
        try await withDesk { psql, database in
            try await psql.query("SET default_transaction_isolation = '\(isolation)'")
            if statement.contains("current_load = 1 WHERE") {
                // The statement sets what is true already, so the guard lets it pass.
                try await psql.query(statement)
            } else {
                let refusal = await #expect(throws: Psql.Failure.self) { try await psql.query(statement) }
                #expect(refusal?.sqlState == "23514")
            }
            #expect(try await psql.numbers("SELECT current_load FROM operators ORDER BY id") == [1, 1])
            #expect(try differences(database) == [])
        }
    }

    @Test("Lowering max_load below the load is legal, and then nothing more comes in")
    func loweredLimit() async throws {
        try await withDesk { psql, _ in
            try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 2)")
            try await psql.query("UPDATE operators SET max_load = 1 WHERE id = 2")
            await #expect(throws: Psql.Failure.self) {
                try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 2)")
            }
            try await psql.query("UPDATE contacts SET status = 'closed' WHERE operator_id = 2")
            #expect(try await psql.numbers("SELECT current_load FROM operators ORDER BY id") == [1, 0])
        }
    }

    @Test(
        "Nobody passes a weight's max_load, in any isolation level; lowering it below the count is legal",
        arguments: ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"],
        [
            "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 2)",
            "UPDATE contacts SET operator_id = 2 WHERE id = 1", "UPDATE contacts SET source_id = 1, operator_id = 2",
            "UPDATE contacts SET status = 'active', operator_id = 2 WHERE id = 2",
            "UPDATE distribution_counts SET active_count = 3 WHERE operator_id = 2",
        ])
    func shareOverloadIsRefused(isolation: String, statement: String) async throws {
        try await withDesk { psql, database in
            try await psql.query("SET default_transaction_isolation = '\(isolation)'")
            try await psql.query(
                "INSERT INTO operator_source_weights (source_id, operator_id, max_load) VALUES (1, 2, 2), (2, 2, NULL)")
            try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 2)")
            try await psql.query("UPDATE operator_source_weights SET max_load = 1 WHERE source_id = 1")
            let refusal = await #expect(throws: Psql.Failure.self) { try await psql.query(statement) }
            #expect(refusal?.sqlState == "23514")
            try await psql.query("UPDATE contacts SET status = 'closed' WHERE operator_id = 2 AND id > 3")
            await #expect(throws: Psql.Failure.self) { try await psql.query(statement) }
            try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 2, 2)")
            #expect(try await psql.numbers("SELECT current_load FROM operators ORDER BY id") == [1, 2])
            #expect(try differences(database) == [])
        }
    }

    @Test(
        "Loads and counts follow whatever is done to contacts",
        arguments: [
            "UPDATE contacts SET status = 'closed'", "UPDATE contacts SET status = 'active'",
            "UPDATE contacts SET operator_id = 2 WHERE id < 3", "UPDATE contacts SET source_id = 2, message = 'm'",
            "DELETE FROM contacts WHERE id <> 2", "TRUNCATE contacts", "UPDATE contacts SET message = 'm'",
            "UPDATE contacts SET operator_id = NULL",
        ])
    func countersFollow(statement: String) async throws {
        try await withDesk { psql, database in
            try await psql.query(statement)
            #expect(try differences(database) == [])
        }
    }

    @Test("A counter that is wrong is found")
    func wrongCountersAreFound() async throws {
        try await withDesk { psql, database in
            try await psql.query("SET session_replication_role = replica")
            try await psql.query("UPDATE operators SET current_load = 2 WHERE id = 1")
            try await psql.query("UPDATE distribution_counts SET contacts_count = 9 WHERE source_id = 2")
            try await psql.query("UPDATE distribution_counts SET active_count = 7 WHERE operator_id = 1")
            #expect(
                try differences(database) == [
                    "source 1, operator 1: share load is 7, counted are 1",
                    "operator 1: operator load is 2, counted are 1",
                    "source 2, no operator: distribution count is 9, counted are 1",
                ])
        }
    }

    @Test("A recount puts counters right, also those past a limit that was lowered, and the guards hold again")
    func repair() async throws {
        try await withDesk { psql, database in
            try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 2)")
            try await psql.query(
                "INSERT INTO operator_source_weights (source_id, operator_id, max_load) VALUES (1, 2, 1)")
            try await psql.query("UPDATE distribution_counts SET active_count = 0")
            var connection = try Connection(ConnectionConfiguration(url: database.url))
            try CounterRepair.run(on: &connection)
            #expect(try differences(database) == [])
            await #expect(throws: Psql.Failure.self) {
                try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 2)")
            }
        }
    }

    @Test("Each change of operator or status is an event, in order; others are none")
    func events() async throws {
        try await withDesk { psql, _ in
            try await psql.query("UPDATE contacts SET message = 'm'")
            try await psql.query("UPDATE contacts SET operator_id = 2 WHERE id = 1")
            try await psql.query("UPDATE contacts SET status = 'closed' WHERE id IN (1, 2)")
            let events = try await psql.query(
                "SELECT contact_id, operator_id, status FROM contact_events WHERE id > 4 ORDER BY id")
            #expect(events == [["1", "2", "active"], ["1", "2", "closed"]])
        }
    }
}
