import Assignment
public import Model
import Store

extension CRM {
    /// Takes an active contact from its operator and places it anew.
    ///
    /// Fails with ``CRMError/contactNotFound(_:)``, ``CRMError/contactClosed(_:)``.
    public func requeue(
        _ id: ContactID, _ idempotency: Idempotency<ContactDetails>? = nil,
        completion: @escaping Completion<Answered<ContactDetails>>
    ) {
        carryOut(.requeue(id), idempotency, as: \.contact, completion: completion)
    }

    /// The most contacts that one transaction takes from an operator, so that others do not wait long for it.
    private static let releaseSize = 200

    /// Takes contacts from an operator, some in each transaction, in queue order. Each goes to another one or waits at its
    /// place; none comes back in a transaction of this call.
    ///
    /// - Parameter contacts: `nil`: all active ones. Of others those that the operator does not hold are passed over.
    /// - Throws: ``CRMError/operatorNotFound(_:)``; ``CRMError/Unavailable/outcomeUnknown`` if some were released, and the
    ///   rest was not to be had in time: the same call goes on with them.
    public func release(
        _ id: OperatorID, _ contacts: [ContactID]?, _ idempotency: Idempotency<Release>? = nil
    ) async throws -> Answered<Release> {
        let deadline = deadline
        if let key = idempotency?.key, let kept = try await run(FetchKept(key)) {
            return .kept(kept, isReplay: true)
        }
        let held = try await run(Fetch.activeContacts(of: id))
        if held.isEmpty { _ = try await operatorWith(id) }
        let wanted = contacts.map(Set.init)
        var rest = held.filter { wanted?.contains($0) ?? true }[...]
        var total = Release()
        while !rest.isEmpty {
            let part = Array(rest.prefix(Self.releaseSize))
            rest = rest.dropFirst(part.count)
            let before = total
            // The last one keeps the answer.
            let last =
                rest.isEmpty
                ? idempotency.map { all in Idempotency<Release>(all.key) { all.answer(before + $0) } } : nil
            do {
                switch try await release(id, part, last, by: deadline) {
                case .fresh(let release): total = total + release
                case .kept(let answer, let isReplay): return .kept(answer, isReplay: isReplay)
                }
            } catch CRMError.unavailable where before.released > 0 {
                throw CRMError.unavailable(.outcomeUnknown)
            }
        }
        return .fresh(total)
    }

    private func release(
        _ id: OperatorID, _ contacts: [ContactID], _ idempotency: Idempotency<Release>?,
        by deadline: ContinuousClock.Instant
    ) async throws -> Answered<Release> {
        try await withCheckedThrowingContinuation { continuation in
            carryOut(.release(id, contacts), idempotency, by: deadline, as: \.release) { continuation.resume(with: $0) }
        }
    }
}
