public import Model
import Postgres
import Store

extension CRM {
    /// Takes an operator from a source. Contacts stay where they are.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``, ``CRMError/operatorNotFound(_:)``, ``CRMError/weightNotFound(_:_:)``.
    public func removeWeight(of operatorID: OperatorID, at sourceID: SourceID) async throws {
        try await remove(.weight(of: operatorID, at: sourceID, usesGate: usesGate), orFailWith: .rejected)
    }

    /// Deletes an operator to whom no contact ever belonged, with the weights.
    ///
    /// - Throws: ``CRMError/operatorNotFound(_:)``, ``CRMError/operatorInUse(_:)``.
    public func deleteOperator(_ id: OperatorID) async throws {
        try await remove(.operator(id, usesGate: usesGate), orFailWith: .operatorInUse(id))
    }

    /// Deletes a source to which no contact ever belonged, with its weights.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``, ``CRMError/sourceInUse(_:)``.
    public func deleteSource(_ id: SourceID) async throws {
        try await remove(.source(id, usesGate: usesGate), orFailWith: .sourceInUse(id))
    }

    private func remove(_ removal: Removal, orFailWith inUse: CRMError) async throws {
        do {
            if let missing = try await run(removal) { throw missing }
        } catch PostgresError.server(let error) where error.refersToRow {
            throw inUse
        }
    }
}

extension ServerError {
    /// Whether a foreign key refers to what was to be deleted.
    fileprivate var refersToRow: Bool { sqlState == "23503" }
}
