import Postgres
import TestSupport
import Testing

@testable import Store

/// What PostgreSQL plans for the statements of the lane.
@Suite struct PlanTests {
    enum Tables: CaseIterable { case empty, large, analysed }

    @Test("The lane looks everything up by index, whatever the statistics say", arguments: Tables.allCases)
    func noSequentialScan(tables: Tables) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            if tables != .empty { try await fill(psql) }
            if tables == .analysed { try await psql.query("ANALYZE") }
            try await psql.query("BEGIN")
            try await psql.query("PREPARE settings AS \(AssignmentStatements.settings.sql)")
            try await psql.query("EXECUTE settings ('1000', '100')")
            for (number, statement) in statements.enumerated() {
                let count = (1...9).last { statement.contains("$\($0)") } ?? 0
                let nulls = count == 0 ? "" : "(" + Array(repeating: "NULL", count: count).joined(separator: ", ") + ")"
                try await psql.query("PREPARE p\(number) AS \(statement)")
                let plan = try await psql.query("EXPLAIN EXECUTE p\(number)\(nulls)").map { $0[0] }
                #expect(!plan.contains { $0.contains("Seq Scan") }, "\(plan.joined(separator: "\n"))")
                #expect(!plan.contains { $0.contains("Hash Join") || $0.contains("Merge Join") }, "\(plan)")
            }
        }
    }

    private let statements = [
        AssignmentStatements.updateOperator, AssignmentStatements.missingOperators, AssignmentStatements.setWeights,
        AssignmentStatements.removeOtherWeights, AssignmentStatements.sources, AssignmentStatements.leads,
        AssignmentStatements.someoneWaits, AssignmentStatements.contacts, AssignmentStatements.freeContacts,
        AssignmentStatements.sourcesOfContacts, AssignmentStatements.candidates, AssignmentStatements.turns,
        AssignmentStatements.waiting, AssignmentStatements.waitingLonger, AssignmentStatements.lockOperators,
        AssignmentStatements.fillLeads, AssignmentStatements.updateContacts, AssignmentStatements.rememberTurns,
        AssignmentStatements.note, BatchStatements.committedAttempt, FetchExplanations.records,
    ].map(\.sql)

    private func fill(_ psql: Psql) async throws {
        for statement in [
            "INSERT INTO operators (name, max_load) SELECT 'o' || i, 1000 FROM generate_series(1, 200) AS i",
            """
            INSERT INTO sources (name, strategy, sticky)
            SELECT 's' || i, CASE i % 2 WHEN 0 THEN 'smooth_weighted' ELSE 'weighted_random' END, i % 5 = 0
            FROM generate_series(1, 50) AS i
            """,
            """
            INSERT INTO operator_source_weights (operator_id, source_id, max_load)
            SELECT o.id, s.id, CASE WHEN o.id % 2 = 0 THEN 1000 END FROM operators AS o, sources AS s WHERE o.id % 5 = s.id % 5
            """,
            "INSERT INTO leads (phone) SELECT 'p' || i FROM generate_series(1, 20000) AS i",
            """
            INSERT INTO contacts (lead_id, source_id, operator_id, status)
            SELECT 1 + i % 20000, 1 + i % 50, CASE WHEN i % 10 > 0 THEN 1 + i % 200 END,
                CASE WHEN i % 3 = 0 THEN 'active' ELSE 'closed' END
            FROM generate_series(1, 40000) AS i
            """,
        ] { try await psql.query(statement) }
    }
}
