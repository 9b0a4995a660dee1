import Assignment
public import Model
import Postgres
import Store

extension CRM {
    /// - Throws: ``CRMError/sourceNameTaken(_:)``.
    public func createSource(
        name: String, description: String?, strategy: Strategy = .weightedRandom, isSticky: Bool = false,
        _ idempotency: Idempotency<Source>? = nil
    ) async throws -> Answered<Source> {
        try await namingSource(name) {
            try await run(
                Fetch<Source>.add(name: name, description: description, strategy: strategy, isSticky: isSticky),
                idempotency)
        }
    }

    public func sources(_ page: Page) async throws -> Listing<Source> {
        Listing(elements: try await run(Fetch<Source>.list(page)))
    }

    /// - Throws: ``CRMError/sourceNotFound(_:)``.
    public func source(_ id: SourceID) async throws -> Source {
        try await run(Fetch<Source>.one(id)).first ?? { throw CRMError.sourceNotFound(id) }()
    }

    /// Changes a source; `nil` leaves a field as it is.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``, ``CRMError/sourceNameTaken(_:)``.
    public func updateSource(
        _ id: SourceID, name: String?, description: String?, strategy: Strategy? = nil, isSticky: Bool? = nil
    ) async throws -> Source {
        try await namingSource(name ?? "") {
            try await run(
                Fetch<Source>.update(
                    id, name: name, description: description, strategy: strategy, isSticky: isSticky)
            ).first ?? { throw CRMError.sourceNotFound(id) }()
        }
    }

    private func namingSource<Value>(_ name: String, _ write: () async throws -> Value) async throws -> Value {
        do {
            return try await write()
        } catch PostgresError.server(let error) where error.constraint == "sources_name_key" {
            throw CRMError.sourceNameTaken(name)
        }
    }

    /// The weights of a source's operators, ordered by the weights' ids.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``.
    public func distribution(of id: SourceID, _ page: Page) async throws -> Listing<OperatorSourceWeight> {
        let weights = try await run(Fetch<OperatorSourceWeight>.list(of: id, page))
        if weights.isEmpty { _ = try await source(id) }
        return Listing(elements: weights)
    }

    /// Sets weights, all or none, and lets waiting contacts in, in the same transaction.
    ///
    /// - Parameters:
    ///   - weights: Where an operator is named twice, the last weight counts.
    ///   - replacing: Whether operators that are not named lose their weight.
    ///   - completion: Gets the weights named in the call, in its order; or ``CRMError/sourceNotFound(_:)``,
    ///     ``CRMError/operatorNotFound(_:)``.
    public func setDistribution(
        of id: SourceID, _ weights: [WeightAssignment], replacing: Bool,
        _ idempotency: Idempotency<[OperatorSourceWeight]>? = nil,
        completion: @escaping Completion<Answered<[OperatorSourceWeight]>>
    ) {
        let command = AssignmentCommand.setDistribution(id, distinct(weights), replacing: replacing)
        carryOut(command, idempotency, as: \.weights, completion: completion)
    }

    /// Each operator's last weight, in the order in which they are first named.
    func distinct(_ weights: [WeightAssignment]) -> [WeightAssignment] {
        let last = Dictionary(weights.map { ($0.operatorID, $0) }, uniquingKeysWith: { $1 })
        var named: Set<OperatorID> = []
        return weights.filter { named.insert($0.operatorID).inserted }.map { last[$0.operatorID]! }
    }

    /// For each source how many contacts each operator was given, whatever their status; pairs without any are
    /// left out.
    public func distributionCounts() async throws -> [DistributionCount] {
        try await run(Fetch<DistributionCount>.all())
    }
}
