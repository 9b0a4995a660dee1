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
        let held = try await run(Fetch.activeContacts(of: id))
        if held.isEmpty { _ = try await operatorWith(id) }
        let wanted = contacts.map(Set.init)
        var rest = held.filter { wanted?.contains($0) ?? true }[...]
        // After the contacts: where another call with this key has just released them, it has also kept its answer.
        var progress = ReleaseProgress(idempotency)
        if let key = idempotency?.key, let (entry, answer) = try await run(FetchLastKept(key)) {
            if let end = progress.add(answer, entry: entry) { return .kept(end, isReplay: true) }
        }
        while !rest.isEmpty || progress.isBegun {
            let part = Array(rest.prefix(Self.releaseSize))
            rest = rest.dropFirst(part.count)
            do {
                let answered = try await release(id, part, progress.next(isLast: rest.isEmpty), by: deadline)
                switch answered {
                case .fresh(let release): progress.total = progress.total + release
                case .kept(let answer, let isReplay):
                    if let end = progress.add(answer, entry: progress.entry + 1) {
                        return .kept(end, isReplay: isReplay)
                    }
                }
            } catch CRMError.unavailable where progress.total.released > 0 {
                throw CRMError.unavailable(.outcomeUnknown)
            }
        }
        return .fresh(progress.total)
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

/// How far a release with a key has come: each part is an entry of the key, with the sum so far, and the last one has the
/// answer. So calls with one key, at once or one after the other, go on where the others have come to.
private struct ReleaseProgress {
    /// A part that is not the last one; its body is three numbers.
    private static let partStatus = 202

    private let idempotency: Idempotency<Release>?
    private(set) var entry: Int32 = 0
    var total = Release()

    init(_ idempotency: Idempotency<Release>?) { self.idempotency = idempotency }

    /// Whether parts are kept, so that an end must be.
    var isBegun: Bool { entry > 0 }

    /// Takes what is kept of a part.
    ///
    /// - Returns: The answer, if it was the last one.
    mutating func add(_ answer: KeptAnswer, entry: Int32) -> KeptAnswer? {
        guard answer.status == Self.partStatus else { return answer }
        let numbers = answer.body.split(separator: " ").compactMap { Int32($0) }.map(Int.init)
        // Somebody changed it in the database: it is no part of ours.
        guard numbers.count == 3 else { return answer }
        self.entry = entry
        total = Release(released: numbers[0], reassigned: numbers[1], waiting: numbers[2])
        return nil
    }

    /// How the next part is kept.
    func next(isLast: Bool) -> Idempotency<Release>? {
        idempotency.map { [total] whole in
            let key = IdempotencyKey(whole.key.key, entry: entry + 1, fingerprint: whole.key.fingerprint)
            return Idempotency(key) { part in
                let sum = total + part
                return isLast
                    ? whole.answer(sum)
                    : KeptAnswer(status: Self.partStatus, body: "\(sum.released) \(sum.reassigned) \(sum.waiting)")
            }
        }
    }
}
