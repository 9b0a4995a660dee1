import Synchronization
import TestSupport
import Testing

/// Looks from psql, again and again, whether an operator holds more active contacts than `max_load`, of all sources and of
/// one.
struct LoadWatch: Sendable {
    private let psql: Psql

    init(_ database: TestDatabase) throws { psql = try Psql(database.url) }

    /// Watches for as long as the body runs.
    ///
    /// Records an issue when an operator is overloaded, or when the load that the row tells is not the number of
    /// contacts: in one snapshot they are always the same.
    func watching<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let looks = Mutex(0)
            group.addTask {
                while !Task.isCancelled {
                    let wrong = try await psql.query(
                        """
                        SELECT o.id, o.max_load, o.current_load, COALESCE(c.count, 0)
                        FROM operators AS o
                        LEFT JOIN (
                            SELECT operator_id, count(*) FROM contacts
                            WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id
                        ) AS c ON c.operator_id = o.id
                        WHERE COALESCE(c.count, 0) > o.max_load OR COALESCE(c.count, 0) <> o.current_load
                        UNION ALL
                        SELECT d.operator_id, w.max_load, d.active_count, COALESCE(c.count, 0)
                        FROM distribution_counts AS d
                        LEFT JOIN operator_source_weights AS w USING (source_id, operator_id)
                        LEFT JOIN (
                            SELECT source_id, operator_id, count(*) FROM contacts
                            WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY source_id, operator_id
                        ) AS c USING (source_id, operator_id)
                        WHERE d.operator_id IS NOT NULL
                            AND (COALESCE(c.count, 0) > w.max_load OR COALESCE(c.count, 0) <> d.active_count)
                        """)
                    looks.withLock { $0 += 1 }
                    guard wrong.isEmpty else {
                        Issue.record("operators with id, max_load, current_load and contacts counted: \(wrong)")
                        return
                    }
                    // The pause waits for nothing; it leaves the processor to those who are watched.
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            let result = try await body()
            group.cancelAll()
            try await group.waitForAll()
            #expect(looks.withLock(\.self) > 0)
            return result
        }
    }
}
