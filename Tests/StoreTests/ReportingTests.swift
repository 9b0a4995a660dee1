import Postgres
import TestSupport
import Testing

@testable import Store

/// The schema `reporting` as people with psql see it.
@Suite struct ReportingTests {
    private func withReports(_ body: (Psql, TestDatabase) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            for statement in [
                "INSERT INTO operators (name, max_load) VALUES ('a', 4), ('b', 4)",
                "INSERT INTO sources (name) VALUES ('s'), ('t')",
                "INSERT INTO operator_source_weights (operator_id, source_id, weight) VALUES (1, 1, 1), (2, 1, 3)",
                "INSERT INTO leads (phone, email) VALUES ('+79001234567', 'anna@example.org'), ('1234567', NULL)",
                """
                INSERT INTO contacts (lead_id, source_id, operator_id, created_at) VALUES
                (1, 1, 1, now()), (1, 1, 2, now()), (2, 1, 2, now()), (2, 1, 2, now()),
                (2, 1, NULL, now() - interval '10 minutes'), (2, 1, NULL, now() - interval '5 minutes')
                """,
                "UPDATE contacts SET operator_id = 1 WHERE id = 5",
            ] { try await psql.query(statement) }
            try await body(psql, database)
        }
    }

    @Test("Each view, and each of its columns, says what it is")
    func comments() async throws {
        try await withReports { psql, _ in
            let bare = try await psql.query(
                """
                SELECT c.relname, a.attname FROM pg_class AS c
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
                WHERE c.relnamespace = 'reporting'::regnamespace AND c.relkind = 'v'
                    AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)
                """)
            #expect(bare == [])
            let names = try await psql.query("SELECT viewname FROM pg_views WHERE schemaname = 'reporting' ORDER BY 1")
            #expect(
                names.map { $0[0] } == [
                    "assignment_delay", "contact_events", "contacts", "contacts_per_hour", "distribution", "integrity",
                    "leads_overview", "limits", "operator_load", "releases", "shares", "waiting", "waiting_times",
                ])
        }
    }

    @Test("The reporting role reads every view and nothing else")
    func role() async throws {
        try await withReports { psql, _ in
            try await psql.query("SET ROLE leads_crm_reporting")
            for view in try await psql.query("SELECT viewname FROM pg_views WHERE schemaname = 'reporting'") {
                try await psql.query("SELECT * FROM reporting.\(view[0])")
            }
            for statement in [
                "SELECT * FROM contacts", "SELECT * FROM leads", "SELECT * FROM operators", "DELETE FROM contacts",
                "UPDATE reporting.operator_load SET max_load = 1", "SELECT nextval('contacts_id_seq')",
            ] {
                let refusal = await #expect(throws: Psql.Failure.self) { try await psql.query(statement) }
                #expect(["42501", "55000"].contains(refusal?.sqlState), "\(statement)")
            }
        }
    }

    @Test(
        "The views show what there is",
        arguments: [
            (
                "SELECT operator_id, current_load, free_places FROM reporting.operator_load ORDER BY 1",
                [["1", "2", "2"], ["2", "3", "1"]]
            ),
            (
                "SELECT expected_percent, actual_percent, deviation_points FROM reporting.distribution ORDER BY operator_id",
                [["25.00", "40.00", "15.00"], ["75.00", "60.00", "-15.00"]]
            ),
            (
                "SELECT source_id, waiting_count, oldest_age >= '5 minutes' FROM reporting.waiting",
                [["1", "1", "t"]]
            ),
            ("SELECT sum(contacts_count), sum(closed) FROM reporting.contacts_per_hour", [["6", "0"]]),
            (
                "SELECT sum(assigned_count), sum(waited_count), max(max_seconds) >= 600 FROM reporting.assignment_delay",
                [["5", "1", "t"]]
            ),
            (
                "SELECT masked_phone, masked_email, contacts_count FROM reporting.leads_overview ORDER BY lead_id",
                [["***4567", "a***@example.org", "2"], ["***", "", "4"]]
            ),
            (
                """
                SELECT sum(registered_count), sum(assigned_count), sum(waited_count), max(p90_seconds) BETWEEN 545 AND 655
                FROM reporting.waiting_times
                """,
                [["6", "5", "1", "t"]]
            ),
            (
                "SELECT assigned_count, actual_percent, deviation_points, limited FROM reporting.shares ORDER BY operator_id",
                [["2", "40.00", "15.00", "f"], ["3", "60.00", "-15.00", "f"]]
            ),
            ("SELECT * FROM reporting.integrity", []),
        ])
    func values(query: String, rows: [[String]]) async throws {
        try await withReports { psql, _ in
            let found = try await psql.query(query)
            #expect(found == rows)
        }
    }

    @Test("A report has the view's columns in order, as text and as JSON; an unknown one is none")
    func report() async throws {
        try await withReports { _, database in
            var connection = try Connection(ConnectionConfiguration(url: database.url))
            let report = try Report("waiting", on: &connection)
            #expect(report?.columns.prefix(3) == ["source_id", "source_name", "waiting_count"])
            #expect(report?.rows.first?.prefix(3) == ["1", "s", "1"])
            #expect(report?.json.first?.hasPrefix(#"{"source_id":1,"source_name":"s","waiting_count":1,"#) == true)
            let unknown = try Report("x\" --", on: &connection)
            #expect(unknown == nil)
        }
    }

    @Test("The reports that the program lists without a database are those of the database, with their comments")
    func names() async throws {
        try await TestDatabase.with { database in
            let views = try await Psql(database.url).query(
                """
                SELECT c.relname, obj_description(c.oid) FROM pg_class AS c
                WHERE c.relnamespace = 'reporting'::regnamespace AND c.relkind = 'v' ORDER BY c.relname COLLATE "C"
                """)
            #expect(Report.names.map { [$0.name, $0.comment] } == views)
        }
    }

    @Test(
        "A report has at most as many rows as its limit, says if there are more, and has times to the second if asked")
    func limits() async throws {
        try await withReports { _, database in
            var connection = try Connection(ConnectionConfiguration(url: database.url))
            for (limit, hasMore) in [(1, true), (6, false)] {
                let report = try #require(try Report("contacts", limit: limit, on: &connection))
                #expect(report.rows.count == limit && report.json.count == limit && report.hasMore == hasMore)
            }
            let exact = try #require(try Report("waiting", on: &connection)?.rows.first)
            let short = try #require(try Report("waiting", toTheSecond: true, on: &connection)?.rows.first)
            #expect(try #require(exact[3]).contains(/:\d\d\.\d+[+-]\d\d/))
            #expect(try #require(short[3]).wholeMatch(of: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/) != nil)
            #expect(try #require(exact[4]).contains("."))
            #expect(try #require(short[4]).wholeMatch(of: /\d\d:\d\d:\d\d/) != nil)
        }
    }
}
