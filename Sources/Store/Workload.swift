public import Model
public import Postgres

/// The three reads of a ``Workload`` in one flight.
public struct FetchWorkload: Transaction {
    private let operatorLimit: Int64
    public let isRepeatable = true

    /// - Parameter operatorLimit: The most operators to answer, the fullest first.
    public init(operatorLimit: Int64) { self.operatorLimit = operatorLimit }

    public func run(on connection: inout Connection) throws -> Workload {
        let results = try connection.run([
            Self.totals(), Self.loads(.int8(operatorLimit)), Self.waiting(),
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
            })
    }

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
