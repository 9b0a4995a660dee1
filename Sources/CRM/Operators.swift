import Assignment
public import Model
import Store

extension CRM {
    /// - Parameter maxLoad: At least 1.
    public func createOperator(
        name: String, isActive: Bool, maxLoad: Int32, _ idempotency: Idempotency<Operator>? = nil
    ) async throws -> Answered<Operator> {
        try await run(Fetch<Operator>.add(name: name, isActive: isActive, maxLoad: maxLoad), idempotency)
    }

    public func operators(_ page: Page) async throws -> Listing<Operator> {
        Listing(elements: try await run(Fetch<Operator>.list(page)))
    }

    /// - Throws: ``CRMError/operatorNotFound(_:)``.
    public func operatorWith(_ id: OperatorID) async throws -> Operator {
        try await run(Fetch<Operator>.one(id)).first ?? { throw CRMError.operatorNotFound(id) }()
    }

    /// Changes an operator. Contacts that wait for the room it makes are let in, in the same transaction.
    ///
    /// Fails with ``CRMError/operatorNotFound(_:)``.
    public func updateOperator(
        _ id: OperatorID, _ patch: OperatorPatch, completion: @escaping Completion<Answered<Operator>>
    ) {
        guard patch != OperatorPatch() else { return complete(completion) { try await self.operatorWith(id) } }
        carryOut(.updateOperator(id, patch), as: \.operator, completion: completion)
    }
}
