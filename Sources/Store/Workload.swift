public import Model
public import Postgres

/// The reads of a ``Workload`` in one flight.
public struct FetchWorkload: Transaction {
    private let operatorLimit: Int64
    public let isRepeatable = true

    /// - Parameter operatorLimit: The most operators to answer, the fullest first.
    public init(operatorLimit: Int64) { self.operatorLimit = operatorLimit }

    public func run(on connection: inout Connection) throws -> Workload {
        let results = try connection.run([
            Self.totals(), Self.loads(.int8(operatorLimit)), Self.waiting(), Self.predicateLocks(),
            Workload.OldSnapshot.query,
        ])
        let (load, capacity) = try results[0].first { (try $0.next(Int64.self), try $0.next(Int64.self)) }!
        return Workload(
            load: load, capacity: capacity,
            loads: try results[1].map {
                Workload.Load(operatorID: try $0.next(), currentLoad: try $0.next(), maxLoad: try $0.next())
            },
            waiting: try results[2].map {
                Workload.Waiting(
                    sourceID: try $0.next(), count: try $0.next(),
                    oldestAge: Double(try $0.next(Int64.self)) / 1e6)
            },
            predicateLocks: try results[3].first { try $0.next(Int64.self) }!,
            oldSnapshot: try results[4].first { try Workload.OldSnapshot(&$0) })
    }

    private static let predicateLocks = Statement("SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock'")

    private static let totals = Statement(
        """
        SELECT COALESCE(sum(current_load), 0)::bigint, COALESCE(sum(max_load) FILTER (WHERE is_active), 0)::bigint
        FROM operators
        """)

    private static let loads = Statement(
        """
        SELECT id, current_load, max_load FROM operators WHERE is_active
        ORDER BY current_load::float8 / max_load DESC, id LIMIT $1::bigint
        """)

    /// By the index of the waiting ones: counting reads no contact, and the oldest of a source is its first.
    private static let waiting = Statement(
        """
        SELECT s.id, w.waiting_count,
            (extract(epoch FROM now() - (SELECT created_at FROM contacts AS c WHERE c.id = w.oldest)) * 1e6)::bigint
        FROM sources AS s
        CROSS JOIN LATERAL (
            SELECT count(*) AS waiting_count, min(c.id) AS oldest FROM contacts AS c
            WHERE c.source_id = s.id AND c.status = 'active' AND c.operator_id IS NULL) AS w
        WHERE w.waiting_count > 0 ORDER BY s.id
        """)
}

extension Workload.OldSnapshot {
    /// Answers at most one row. What others do is hidden from most users, but not who has which snapshot.
    public static let query = Statement(
        """
        SELECT a.pid, a.usename::text, a.application_name, age(a.backend_xmin)::bigint
        FROM pg_stat_activity AS a
        WHERE a.usename IS NOT NULL AND a.pid <> pg_backend_pid() AND age(a.backend_xmin) > 1000
        ORDER BY age(a.backend_xmin) DESC LIMIT 1
        """)()

    public init(_ row: inout Row) throws {
        self.init(process: try row.next(), user: try row.next(), application: try row.next(), age: try row.next())
    }
}
