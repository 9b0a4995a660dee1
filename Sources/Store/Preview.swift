public import Distribution
public import Model
public import Postgres

/// What a source's distribution is, or would be, as things are.
public struct FetchDesk: Transaction {
    /// Everybody who has a weight, and how many wait.
    public struct Output: Sendable {
        public var desk: Desk
        /// In id order.
        public let operators: [Operator]
        public let waiting: Int
    }

    public let isRepeatable = true
    private let source: SourceID
    private let weights: [WeightAssignment]?
    private let strategy: Strategy?

    /// - Parameters:
    ///   - weights: In place of the source's own, as ``AssignmentCommand`` would set them; each operator once.
    ///   - strategy: In place of the source's own.
    public init(_ source: SourceID, weights: [WeightAssignment]? = nil, strategy: Strategy? = nil) {
        self.source = source
        self.weights = weights
        self.strategy = strategy
    }

    /// - Throws: ``PostgresError``, ``CRMError/sourceNotFound(_:)``, ``CRMError/operatorNotFound(_:)``.
    public func run(on connection: inout Connection) throws -> Output {
        let id = Parameter.int8(source.rawValue)
        let named = weights.map { weights in
            Self.named(
                id, .int8Array(weights.map(\.operatorID.rawValue)), .int4Array(weights.map(\.weight)),
                .int4Array(weights.map { $0.maxLoad ?? 0 }))
        }
        let results = try connection.run([
            AssignmentStatements.sources(.int8Array([source.rawValue])), named ?? Self.own(id), Self.waiting(id),
        ])
        guard let stored = try results[0].map({ try Source(&$0) }).first else {
            throw CRMError.sourceNotFound(source)
        }
        var operators: [Operator] = []
        var shares: [Desk.Share] = []
        var rooms: [OperatorID: Int32] = [:]
        var turns: [OperatorID: Desk.Turn] = [:]
        _ = try results[1].map { row in
            let `operator` = try Operator(&row)
            operators.append(`operator`)
            shares.append(Desk.Share(operatorID: `operator`.id, weight: try row.next()))
            let room = try row.next(Int32.self)
            if room < .max { rooms[`operator`.id] = room }
            turns[`operator`.id] = Desk.Turn(credit: try row.next(), givenAt: try row.next())
        }
        let found = Set(operators.map(\.id))
        if let missing = weights?.first(where: { !found.contains($0.operatorID) }) {
            throw CRMError.operatorNotFound(missing.operatorID)
        }
        let capacities = operators.map { one in
            (one.id, Desk.Capacity(isActive: one.isActive, maxLoad: one.maxLoad, currentLoad: one.currentLoad))
        }
        let desk = Desk(
            capacities: Dictionary(uniqueKeysWithValues: capacities), shares: [source: shares],
            strategies: [source: strategy ?? stored.strategy], turns: [source: turns], rooms: [source: rooms],
            placements: [:], clock: .now, seed: .random(in: .min ... .max))
        return Output(
            desk: desk, operators: operators, waiting: Int(try results[2].first { try $0.next(Int64.self) }!))
    }

    private static let own = Statement(
        """
        SELECT \(Operator.columns), w.weight, \(OperatorSourceWeight.room), w.credit, w.given_at
        FROM operator_source_weights AS w JOIN operators AS o ON o.id = w.operator_id
        WHERE w.source_id = $1::bigint ORDER BY o.id
        """)

    /// Credits begin anew where weights are set.
    private static let named = Statement(
        """
        SELECT \(Operator.columns), w.weight, \(OperatorSourceWeight.room), NULL::bigint, (
            SELECT g.given_at FROM operator_source_weights AS g
            WHERE g.source_id = w.source_id AND g.operator_id = w.operator_id)
        FROM (
            SELECT $1::bigint AS source_id, d.operator_id, d.weight, NULLIF(d.max_load, 0) AS max_load
            FROM unnest($2::bigint[], $3::integer[], $4::integer[]) AS d (operator_id, weight, max_load)
        ) AS w JOIN operators AS o ON o.id = w.operator_id ORDER BY o.id
        """)

    /// More would not get in in the time that there is.
    private static let waiting = Statement(
        """
        SELECT count(*) FROM (
            SELECT FROM contacts AS c WHERE c.source_id = $1::bigint AND c.status = 'active' AND c.operator_id IS NULL
            LIMIT 1000000
        ) AS c
        """)
}
