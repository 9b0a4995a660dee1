public import Distribution
import Postgres

/// Loads and waiting contacts at one moment, for monitoring.
public struct DeskState: Sendable, Equatable {
    /// An active operator's load.
    public struct Load: Sendable, Equatable {
        public let operatorID: OperatorID
        public let currentLoad: Int32
        public let maxLoad: Int32
    }

    /// Contacts that wait at a source.
    public struct Waiting: Sendable, Equatable {
        public let sourceID: SourceID
        public let count: Int64
        /// How long the oldest waits already, in seconds.
        public let oldestAge: Double
    }

    /// Active contacts of all operators.
    public let load: Int64
    /// The limits of all active operators together.
    public let capacity: Int64
    /// The fullest active operators.
    public let loads: [Load]
    /// The sources at which somebody waits.
    public let waiting: [Waiting]
}

/// The three reads of a ``DeskState`` in one flight.
struct FetchDeskState: Transaction {
    let operatorLimit: Int64
    let isRepeatable = true

    func run(on connection: inout Connection) throws -> DeskState {
        let results = try connection.run([
            Self.totals(), Self.loads(.int8(operatorLimit)), Self.waiting(),
        ])
        let (load, capacity) = try results[0].first { (try $0.next(Int64.self), try $0.next(Int64.self)) }!
        return DeskState(
            load: load, capacity: capacity,
            loads: try results[1].map {
                DeskState.Load(operatorID: try $0.next(), currentLoad: try $0.next(), maxLoad: try $0.next())
            },
            waiting: try results[2].map {
                DeskState.Waiting(
                    sourceID: try $0.next(), count: try $0.next(),
                    oldestAge: Double(try $0.next(Int64.self)) / 1e6)
            })
    }

    private static let totals = Statement(
        "desk_totals",
        """
        SELECT COALESCE(sum(current_load), 0)::bigint, COALESCE(sum(max_load) FILTER (WHERE is_active), 0)::bigint
        FROM operators
        """)

    private static let loads = Statement(
        "desk_loads",
        """
        SELECT id, current_load, max_load FROM operators WHERE is_active
        ORDER BY current_load::float8 / max_load DESC, id LIMIT $1::bigint
        """)

    /// By the index of the waiting ones: counting reads no contact, and the oldest of a source is its first.
    private static let waiting = Statement(
        "desk_waiting",
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
