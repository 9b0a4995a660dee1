import Assignment
public import Model
import Store
import Synchronization

extension CRM {
    /// Finds or makes the lead, and gives the contact to an operator or lets it wait.
    ///
    /// Fails with ``CRMError/sourceNotFound(_:)``.
    public func register(
        _ contact: NewContact, _ idempotency: Idempotency<ContactDetails>? = nil,
        completion: @escaping Completion<Answered<ContactDetails>>
    ) {
        carryOut(.register(contact), idempotency, as: \.contact, completion: completion)
    }

    /// Registers contacts in their order, each as if it came alone; others need not wait until all are done.
    ///
    /// - Returns: What became of each, in their order.
    /// - Throws: ``CRMError/unavailable(_:)`` if too many wait; then none is registered.
    public func register(
        _ contacts: [(contact: NewContact, idempotency: Idempotency<ContactDetails>?)]
    ) async throws -> [Result<Answered<ContactDetails>, any Error>] {
        if contacts.isEmpty { return [] }
        return try await withCheckedThrowingContinuation { continuation in
            let results = Gathering<Answered<ContactDetails>>(contacts.count) { continuation.resume(returning: $0) }
            do {
                try carryOut(
                    contacts.map { (.register($0.contact), $0.idempotency) }, as: \.contact, completion: results.add)
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// Closes, reopens or transfers a contact, or changes its message or priority. A place that this frees goes to the oldest
    /// who waits for it, in the same transaction.
    ///
    /// Fails with ``CRMError/contactNotFound(_:)``; for a transfer ``CRMError/operatorNotFound(_:)``,
    /// ``CRMError/operatorInactive(_:)``, ``CRMError/operatorFull(_:)``, ``CRMError/sourceShareFull(_:_:)``,
    /// ``CRMError/contactClosed(_:)``.
    public func updateContact(
        _ id: ContactID, _ patch: ContactPatch, completion: @escaping Completion<Answered<ContactDetails>>
    ) {
        guard patch != ContactPatch() else { return complete(completion) { try await self.contact(id) } }
        carryOut(.updateContact(id, patch), as: \.contact, completion: completion)
    }

    public func contacts(_ filter: ContactFilter, _ page: Page) async throws -> Listing<ContactDetails> {
        Listing(elements: try await run(Fetch<ContactDetails>.list(filter, page)))
    }

    /// - Throws: ``CRMError/contactNotFound(_:)``.
    public func contact(_ id: ContactID) async throws -> ContactDetails {
        try await run(Fetch<ContactDetails>.one(id)).first ?? { throw CRMError.contactNotFound(id) }()
    }
}

/// Gathers the results of operations that go on side by side.
private final class Gathering<Value: Sendable>: Sendable {
    private let results: Mutex<(all: [Result<Value, any Error>?], missing: Int)>
    private let complete: @Sendable ([Result<Value, any Error>]) -> Void

    /// - Parameter complete: Called once all are there.
    init(_ count: Int, complete: @escaping @Sendable ([Result<Value, any Error>]) -> Void) {
        results = Mutex((Array(repeating: nil, count: count), count))
        self.complete = complete
    }

    @Sendable func add(_ index: Int, _ result: Result<Value, any Error>) {
        let all = results.withLock { results in
            results.all[index] = result
            results.missing -= 1
            return results.missing == 0 ? results.all : nil
        }
        if let all { complete(all.map { $0! }) }
    }
}
