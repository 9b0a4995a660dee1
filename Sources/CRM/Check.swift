public import Postgres

/// Compares the counters that triggers keep with a recount, on one snapshot.
public struct Check: Transaction {
    public let isRepeatable = true

    public init() {}

    /// One line for each counter that differs; empty if all is well.
    public func run(on connection: inout Connection) throws -> [String] {
        let results = try connection.run([Self.begin(), Self.loads(), Self.counts(), Self.end()])
        return try results[1].map { row in
            let (id, kept, counted) = (try row.next(Int64.self), try row.next(Int64.self), try row.next(Int64.self))
            return "operator \(id): current_load is \(kept), active contacts are \(counted)"
        }
            + results[2].map { row in
                let source = try row.next(Int64.self)
                let operatorID = try row.next(Int64?.self)
                let (kept, counted) = (try row.next(Int64.self), try row.next(Int64.self))
                let whose = operatorID.map { "operator \($0)" } ?? "no operator"
                return "source \(source), \(whose): contacts_count is \(kept), contacts are \(counted)"
            }
    }

    private static let begin = Statement(
        "check_begin", prepared: false, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    private static let loads = Statement(
        "check_loads", prepared: false,
        """
        SELECT o.id, o.current_load::bigint, COALESCE(c.n, 0)
        FROM operators AS o
        LEFT JOIN (
            SELECT operator_id, count(*) AS n FROM contacts
            WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id
        ) AS c ON c.operator_id = o.id
        WHERE o.current_load <> COALESCE(c.n, 0) ORDER BY o.id
        """)
    private static let counts = Statement(
        "check_counts", prepared: false,
        """
        SELECT COALESCE(d.source_id, c.source_id), COALESCE(d.operator_id, c.operator_id),
            COALESCE(d.contacts_count, 0), COALESCE(c.n, 0)
        FROM distribution_counts AS d
        FULL JOIN (SELECT source_id, operator_id, count(*) AS n FROM contacts GROUP BY source_id, operator_id) AS c
            ON c.source_id = d.source_id AND COALESCE(c.operator_id, 0) = COALESCE(d.operator_id, 0)
        WHERE COALESCE(d.contacts_count, 0) <> COALESCE(c.n, 0) ORDER BY 1, 2
        """)
    private static let end = Statement("check_end", prepared: false, "COMMIT")
}
