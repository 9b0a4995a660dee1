public import Model
public import Postgres

/// Takes a weight, an operator or a source away, in one flight of the write pool.
///
/// It changes no load and lets nobody in, so it is no command of the lane. But it passes the gate, so that whatever is
/// decided after its answer is decided without what is gone. Without the gate foreign keys and the locks on rows keep what
/// must hold: a batch that has read what goes meanwhile meets a conflict and is run again.
public struct Removal: Transaction {
    public let isRepeatable = false
    private let usesGate: Bool
    private let queries: [Query]
    /// What each of the queries shows to be missing if it has no row.
    private let missing: [CRMError?]

    private init(_ steps: [(query: Query, missing: CRMError?)], usesGate: Bool) {
        self.usesGate = usesGate
        queries = steps.map(\.query)
        missing = steps.map(\.missing)
    }

    public static func weight(of operatorID: OperatorID, at sourceID: SourceID, usesGate: Bool) -> Self {
        Self(
            [
                (findSource(.int8(sourceID.rawValue)), .sourceNotFound(sourceID)),
                (findOperator(.int8(operatorID.rawValue)), .operatorNotFound(operatorID)),
                (
                    deleteWeight(.int8(sourceID.rawValue), .int8(operatorID.rawValue)),
                    .weightNotFound(operatorID, sourceID)
                ),
            ], usesGate: usesGate)
    }

    /// With its weights. Fails at a foreign key if a contact ever belonged to the operator.
    public static func `operator`(_ id: OperatorID, usesGate: Bool) -> Self {
        let id = (id, parameter: Parameter.int8(id.rawValue))
        return Self(
            [
                (lockOperator(id.parameter), .operatorNotFound(id.0)), (deleteWeightsOfOperator(id.parameter), nil),
                (deleteOperator(id.parameter), nil),
            ], usesGate: usesGate)
    }

    /// With its weights. Fails at a foreign key if a contact ever belonged to the source.
    public static func source(_ id: SourceID, usesGate: Bool) -> Self {
        let id = (id, parameter: Parameter.int8(id.rawValue))
        return Self(
            [
                (lockSource(id.parameter), .sourceNotFound(id.0)), (deleteWeightsOfSource(id.parameter), nil),
                (deleteSource(id.parameter), nil),
            ], usesGate: usesGate)
    }

    /// - Returns: What is not there; `nil` if it was taken away.
    public func run(on connection: inout Connection) throws -> CRMError? {
        let opening = [
            AssignmentStatements.beginReadCommitted(), AssignmentStatements.limit("lock_timeout", .seconds(1)),
            usesGate ? AssignmentStatements.gate() : AssignmentStatements.openGate(),
            AssignmentStatements.limit("lock_timeout", .milliseconds(100)),
        ]
        let results = try connection.run(opening + queries + [AssignmentStatements.commit()], committing: true)
        return zip(results.dropFirst(opening.count), missing).lazy.compactMap { $0.affectedRows == 0 ? $1 : nil }.first
    }

    private static let findSource = Statement("SELECT FROM sources WHERE id = $1::bigint")
    private static let findOperator = Statement("SELECT FROM operators WHERE id = $1::bigint")
    private static let deleteWeight = Statement(
        "DELETE FROM operator_source_weights WHERE source_id = $1::bigint AND operator_id = $2::bigint")
    /// So that nobody adds a weight after ``deleteWeightsOfOperator``.
    private static let lockOperator = Statement("SELECT FROM operators WHERE id = $1::bigint FOR UPDATE")
    private static let deleteWeightsOfOperator = Statement(
        "DELETE FROM operator_source_weights WHERE operator_id = $1::bigint")
    private static let deleteOperator = Statement("DELETE FROM operators WHERE id = $1::bigint")
    private static let lockSource = Statement("SELECT FROM sources WHERE id = $1::bigint FOR UPDATE")
    private static let deleteWeightsOfSource = Statement(
        "DELETE FROM operator_source_weights WHERE source_id = $1::bigint")
    private static let deleteSource = Statement("DELETE FROM sources WHERE id = $1::bigint")
}
