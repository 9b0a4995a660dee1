import Foundation
import Model
import Postgres
import TestSupport
import Testing

@testable import Store

/// The benchmark's data in a small size, and on them the queries of `sql/reporting` and the plans of lists.
@Suite struct LargeDatabaseTests {
    private static let sql = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("sql")

    private func withYear(contacts: Int, _ body: (Psql, TestDatabase) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            try await Psql.run(
                file: Self.sql.appendingPathComponent("bench/large.sql").path,
                variables: ["contacts": "\(contacts)"], on: database.url)
            try await body(try Psql(database.url), database)
        }
    }

    @Test("The benchmark's data are what the triggers would have made of them")
    func largeData() async throws {
        try await withYear(contacts: 10_000) { psql, database in
            let sizes = try await psql.query(
                """
                SELECT (SELECT count(*) FROM contacts), (SELECT count(*) FROM leads), (SELECT count(*) FROM operators),
                    (SELECT count(*) FROM sources), (SELECT count(DISTINCT lead_id) FROM contacts)
                """)
            #expect(sizes == [["10000", "3000", "1000", "200", "3000"]])
            var connection = try Connection(ConnectionConfiguration(url: database.url))
            let loaded = try Check().run(on: &connection)
            #expect(loaded == [])

            // The same contacts come again, so that triggers count them and foreign keys look at each row.
            let replayed = try await psql.query(
                """
                CREATE TEMP TABLE kept AS SELECT * FROM contacts;
                CREATE TEMP TABLE counters AS
                SELECT source_id, operator_id, contacts_count FROM distribution_counts
                UNION ALL SELECT 0, id, current_load FROM operators;
                TRUNCATE contacts;
                INSERT INTO contacts SELECT * FROM kept;
                WITH again AS (
                    SELECT source_id, operator_id, contacts_count FROM distribution_counts
                    UNION ALL SELECT 0, id, current_load FROM operators)
                (TABLE counters EXCEPT ALL TABLE again) UNION ALL (TABLE again EXCEPT ALL TABLE counters)
                """)
            #expect(replayed == [])
        }
    }

    @Test("The benchmark's events tell each contact's way to where it is, in the order of their times")
    func largeEvents() async throws {
        try await withYear(contacts: 10_000) { psql, _ in
            let wrong = try await psql.query(
                """
                SELECT c.id FROM contacts AS c LEFT JOIN (
                    SELECT contact_id, array_agg(e ORDER BY e.id) AS all FROM contact_events AS e GROUP BY contact_id
                ) AS e ON e.contact_id = c.id
                WHERE (e.all[1].status, e.all[1].created_at) IS DISTINCT FROM ('active', c.created_at)
                    OR (e.all[cardinality(e.all)]).status <> c.status
                    OR (e.all[cardinality(e.all)]).source_id <> c.source_id
                    OR (e.all[cardinality(e.all)]).operator_id IS DISTINCT FROM c.operator_id
                    OR (e.all[cardinality(e.all)]).created_at <> COALESCE(c.updated_at, c.created_at)
                """)
            #expect(wrong == [])
            let disorder = try await psql.query(
                """
                SELECT id FROM (
                    SELECT id, created_at, created_at < lag(created_at) OVER (ORDER BY id) AS is_late
                    FROM contact_events) AS e WHERE is_late OR created_at > now()
                """)
            #expect(disorder == [])
        }
    }

    @Test("Lists read no contact that they do not show, in a plan for any parameters")
    func listPlans() async throws {
        try await withYear(contacts: 50_000) { psql, _ in
            try await psql.query("SET plan_cache_mode = force_generic_plan")
            let everyone = LeadIdentity(externalID: nil, phone: nil, email: nil)
            var statements = [FetchLeads(everyone, Page()).leads.statement.sql, FetchLeads.newestContacts.sql]
            for (status, operatorID, sourceID, waiting) in [
                (nil, nil, nil, true), (nil, nil, 200, true), (.active, nil, nil, false), (nil, 1, nil, false),
                (nil, nil, 1, false), (.closed, 1, nil, false), (.closed, nil, 1, false),
            ] as [(ContactStatus?, Int64?, Int64?, Bool)] {
                var filter = ContactFilter()
                filter.status = status
                filter.operatorID = operatorID.map { OperatorID($0) }
                filter.sourceID = sourceID.map { SourceID($0) }
                filter.waiting = waiting
                statements.append(Fetch<ContactDetails>.list(filter, Page()).query.statement.sql)
            }
            for (number, statement) in statements.enumerated() {
                let count = (1...9).last { statement.contains("$\($0)") }!
                let nulls = Array(repeating: "NULL", count: count).joined(separator: ", ")
                try await psql.query("PREPARE p\(number) AS \(statement)")
                let plan = try await psql.query("EXPLAIN EXECUTE p\(number)(\(nulls))").map { $0[0] }
                #expect(
                    !plan.contains {
                        $0.contains("Seq Scan on contacts") || $0.contains("  Filter:") && !$0.contains("size_before")
                    },
                    "\(statement)\n\(plan.joined(separator: "\n"))")
            }
        }
    }

    @Test("Each query of sql/reporting runs with the reporting role's rights, with and without its variables")
    func queries() async throws {
        let directory = Self.sql.appendingPathComponent("reporting")
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        #expect(files.count >= 8)
        try await withYear(contacts: 10_000) { psql, database in
            try await psql.query("INSERT INTO leads (phone, email) VALUES ('+70001112233', 'somebody@example.net')")
            try await psql.query("INSERT INTO contacts (lead_id, source_id) VALUES (3001, 200), (3001, 200)")
            let variables = [
                "day": "2026-01-31", "from": "yesterday", "to": "tomorrow", "limit": "1", "seconds": "30",
            ]
            for file in files {
                let path = directory.appendingPathComponent(file).path
                let rows = try await Psql.run(file: path, role: "leads_crm_reporting", on: database.url)
                #expect(!rows.isEmpty, "\(file)")
                let others = try await Psql.run(
                    file: path, variables: variables, role: "leads_crm_reporting", on: database.url)
                #expect(others != rows, "\(file)")
                for text in [rows, others] {
                    #expect(!text.contains("+70001112233") && !text.contains("somebody@"), "\(file)")
                }
            }
        }
    }
}
