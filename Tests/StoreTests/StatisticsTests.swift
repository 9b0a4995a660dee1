import Model
import Postgres
import TestSupport
import Testing

@testable import Store

/// What is rolled up of events, and what is read of it.
@Suite struct StatisticsTests {
    private static let begin = Timestamp(rfc3339: "2026-01-05T10:00:00Z")!
    private static let end = Timestamp(rfc3339: "2026-01-05T12:00:00Z")!

    /// Two operators and two sources. At the first one four contacts wait from ten o'clock on, of which three are given to
    /// somebody after 0, 10, 20 and 40 s, and one is closed at half past eleven; at the second one waits.
    private func withDesk(_ body: (Psql, inout Connection, String) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            for statement in [
                "INSERT INTO operators (name) VALUES ('a'), ('b')", "INSERT INTO sources (name) VALUES ('s'), ('t')",
                "INSERT INTO operator_source_weights (operator_id, source_id, weight) VALUES (1, 1, 1), (2, 1, 3)",
                "INSERT INTO leads DEFAULT VALUES",
                """
                INSERT INTO contacts (lead_id, source_id, operator_id, created_at)
                SELECT 1, CASE n WHEN 6 THEN 2 ELSE 1 END, CASE n WHEN 1 THEN 2 END, '2026-01-05 10:00Z'
                FROM generate_series(1, 6) AS n
                """,
                """
                UPDATE contacts SET operator_id = 1, updated_at = created_at + d.wait * interval '1 second'
                FROM (VALUES (2, 10), (3, 20), (4, 40)) AS d (id, wait) WHERE contacts.id = d.id
                """,
                "UPDATE contacts SET operator_id = 2, updated_at = '2026-01-05 11:10Z' WHERE id = 2",
                "UPDATE contacts SET status = 'closed', updated_at = '2026-01-05 11:30Z' WHERE id = 2",
            ] { try await psql.query(statement) }
            var connection = try Connection(ConnectionConfiguration(url: database.url))
            try await body(psql, &connection, database.url)
        }
    }

    /// Runs the job until all that is committed is rolled up.
    private func rollUp(_ psql: Psql, on connection: inout Connection) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while try await psql.number("SELECT max(e.id) - min(p.rolled_to) FROM contact_events AS e, tally_progress AS p")
            > 0
        {
            _ = try Maintain(.rollUp).run(on: &connection)
            try #require(ContinuousClock.now < end, "transactions of other tests last this long?")
        }
    }

    private func timeline(
        _ bucket: BucketSpan.Bucket, of source: SourceID? = nil, on connection: inout Connection
    ) throws -> [TimelineEntry] {
        let span = BucketSpan(bucket, from: Self.begin, to: Self.end)
        return try FetchStatistics<TimelineEntry>.timeline(span, of: source).run(on: &connection)
    }

    private func isNear(_ wait: Double?, _ seconds: Double) -> Bool {
        wait.map { abs($0 / seconds - 1) < 0.091 } ?? false
    }

    @Test("A timeline counts each contact once, transfers not, and tells waits to 9 %, rolled up or not")
    func timeline() async throws {
        try await withDesk { psql, connection, _ in
            var found: [[TimelineEntry]] = []
            for _ in 0..<2 {
                let hours = try timeline(.hour, on: &connection)
                #expect(hours.map { [$0.registered, $0.assigned, $0.closed] } == [[6, 4, 0], [0, 0, 1]])
                #expect(hours.map(\.at.description) == ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"])
                #expect(isNear(hours[0].medianWait, 10) && isNear(hours[0].p90Wait, 40), "\(hours)")
                #expect(hours[1].medianWait == nil && hours[1].p90Wait == nil)
                let other = try timeline(.hour, of: SourceID(2), on: &connection)
                #expect(other.map { [$0.registered, $0.assigned, $0.closed] } == [[1, 0, 0], [0, 0, 0]])
                let day = try timeline(.day, on: &connection)
                #expect(day.map { [$0.registered, $0.assigned, $0.closed] } == [[6, 4, 1]])
                let minutes = try timeline(.minute, of: SourceID(1), on: &connection)
                #expect(minutes.count == 120 && minutes.map(\.registered).reduce(0, +) == 5)
                #expect(minutes[0].assigned == 4 && isNear(minutes[0].medianWait, 10) && minutes[90].closed == 1)
                found.append(hours + other + day + minutes)
                try await rollUp(psql, on: &connection)
            }
            #expect(found[0] == found[1])
            #expect(try await psql.number("SELECT sum(n) FROM contact_tallies WHERE source_id = 0") == 11)
            #expect(try await psql.number("SELECT sum(n) FROM assignment_tallies") == 4)
        }
    }

    @Test("A contact that waits again is given again, and has waited since then")
    func waitsAgain() async throws {
        try await withDesk { psql, connection, _ in
            for (operatorID, time) in [("NULL", "11:00"), ("1", "11:00:05")] {
                try await psql.query(
                    "UPDATE contacts SET operator_id = \(operatorID), updated_at = '2026-01-05 \(time)Z' WHERE id = 4")
            }
            let entry = try timeline(.hour, on: &connection)[1]
            #expect(entry.assigned == 1 && isNear(entry.medianWait, 5))
        }
    }

    @Test("A contact that comes closed was registered, and given, when it says so")
    func comesClosed() async throws {
        try await withDesk { psql, connection, _ in
            try await psql.query(
                """
                INSERT INTO contacts (lead_id, source_id, operator_id, status, created_at, updated_at)
                VALUES (1, 2, 1, 'closed', '2026-01-05 10:30Z', '2026-01-05 11:45Z')
                """)
            let hours = try timeline(.hour, of: SourceID(2), on: &connection)
            #expect(hours.map { [$0.registered, $0.assigned, $0.closed] } == [[2, 1, 0], [0, 0, 1]])
        }
    }

    @Test("An event whose id is drawn early and committed late is rolled up, too, and once")
    func lateCommit() async throws {
        try await withDesk { psql, connection, url in
            // At sources of their own, so that none waits for another's counters.
            func insert(at source: Int) -> String { "INSERT INTO contacts (lead_id, source_id) VALUES (1, \(source))" }
            let late = try Psql(url)
            try await late.query("BEGIN")
            try await late.query(insert(at: 2))
            try await psql.query(insert(at: 1))
            for _ in 0..<5 { _ = try Maintain(.rollUp).run(on: &connection) }
            try await late.query("COMMIT")
            try await psql.query(insert(at: 1))
            try await rollUp(psql, on: &connection)
            for table in ["contact_tallies", "contact_tallies_now"] {
                let registered = try await psql.numbers(
                    "SELECT sum(n) FROM \(table) WHERE kind = -2 GROUP BY source_id ORDER BY source_id")
                #expect(registered == [9, 7, 2], "\(table)")
            }
        }
    }

    @Test("In a cluster with younger transactions, as after a restore, rolling up begins anew")
    func otherCluster() async throws {
        try await withDesk { psql, connection, _ in
            // Once, so that there is a part whose time has not come.
            _ = try Maintain(.rollUp).run(on: &connection)
            try await psql.query("UPDATE tally_progress SET next_xid = '999999999999'")
            try await rollUp(psql, on: &connection)
        }
    }

    @Test("Shares are compared with today's weights, and say who was full for part of the time")
    func shares() async throws {
        try await withDesk { psql, connection, _ in
            let span = BucketSpan(.hour, from: Self.begin, to: Self.end)
            func rows(_ span: BucketSpan, _ connection: inout Connection) throws -> [SourceShare] {
                try FetchStatistics<SourceShare>.shares(span, of: nil).run(on: &connection)
            }
            let shares = try rows(span, &connection)
            #expect(shares.map(\.operatorID) == [OperatorID(1), OperatorID(2)])
            #expect(shares.map(\.assigned) == [3, 1] && shares.map(\.expectedPercent) == [25, 75])
            #expect(shares.map(\.actualPercent) == [75, 25] && shares.map(\.deviationPoints) == [50, -50])
            #expect(shares.map(\.limited) == [false, false])

            // The first was full in one hour, the second is from the hour before it on.
            try await psql.query(
                """
                INSERT INTO operator_full_hours VALUES
                (1, '2026-01-05 10:00Z', true), (1, '2026-01-05 11:00Z', false), (2, '2026-01-05 09:00Z', true)
                """)
            #expect(try rows(span, &connection).map(\.limited) == [true, true])
            let later = BucketSpan(.hour, from: Self.end, to: Timestamp(rfc3339: "2026-01-05T15:00:00Z")!)
            #expect(try rows(later, &connection).map(\.limited) == [false, true])
            #expect(try rows(later, &connection).allSatisfy { $0.assigned == 0 && $0.actualPercent == nil })

            // Who lost the weight keeps what was given.
            try await psql.query("DELETE FROM operator_source_weights WHERE operator_id = 1")
            #expect(try rows(span, &connection).map(\.weight) == [nil, 3])
            #expect(try rows(span, &connection).map(\.expectedPercent) == [0, 100])
        }
    }

    @Test("Whatever makes an operator full, or not, is noted: contacts and limits, by whoever writes")
    func fullness() async throws {
        try await withDesk { psql, _, _ in
            func noted() async throws -> [[String]] {
                try await psql.query("SELECT operator_id, is_full FROM operator_full_hours ORDER BY 1, hour")
            }
            #expect(try await noted() == [])
            try await psql.query("UPDATE operators SET max_load = 2 WHERE id = 1")
            #expect(try await noted() == [["1", "t"]])
            try await psql.query("UPDATE operator_full_hours SET hour = hour - interval '1 hour'")
            try await psql.query("UPDATE contacts SET status = 'closed' WHERE operator_id = 1")
            #expect(try await noted() == [["1", "t"], ["1", "f"]])
            try await psql.query(
                "INSERT INTO contacts (lead_id, source_id, operator_id) SELECT 1, 1, 1 FROM generate_series(1, 2)")
            #expect(try await noted() == [["1", "t"], ["1", "t"]])
        }
    }

    @Test("Statistics read tallies and events by index, in a plan for any parameters")
    func plans() async throws {
        try await withDesk { psql, _, _ in
            try await psql.query("SET plan_cache_mode = force_generic_plan")
            try await psql.query("SET enable_seqscan = off")
            for (number, statement) in [
                StatisticsStatements.hours(in: .hour), StatisticsStatements.minutes, StatisticsStatements.shares,
                MaintenanceJob.rollUp.step.statement,
            ].enumerated() {
                try await psql.query("PREPARE p\(number) AS \(statement.sql)")
                let parameters = statement.sql.contains("$1") ? "(0, 3600000000, 1)" : ""
                let plan = try await psql.query("EXPLAIN EXECUTE p\(number)\(parameters)").map { $0[0] }
                let scans = plan.filter { $0.contains("Seq Scan on") && !$0.contains("tally_progress") }
                #expect(scans == [], "\(plan.joined(separator: "\n"))")
            }
        }
    }
}
