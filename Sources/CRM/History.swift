import Distribution
public import Model
import Store

extension CRM {
    /// What became of a contact, the oldest first.
    ///
    /// - Throws: ``CRMError/contactNotFound(_:)``.
    public func history(of id: ContactID, _ page: Page) async throws -> Listing<ContactEvent> {
        let events = try await run(Fetch<ContactEvent>.history(of: id, page))
        if events.isEmpty { _ = try await contact(id) }
        return Listing(elements: events)
    }

    /// How it was decided, each time, who gets a contact, as far as that is kept; the oldest first.
    ///
    /// - Throws: ``CRMError/contactNotFound(_:)``.
    public func explanations(of id: ContactID, _ page: Page) async throws -> Listing<AssignmentExplanation> {
        let deadline = deadline
        let kept = try await run(FetchExplanations(of: id, page))
        let explanations = try await think(by: deadline) { kept.explanations }
        if explanations.isEmpty { _ = try await contact(id) }
        return Listing(elements: explanations, goesOn: kept.goesOn)
    }

    /// Who would get how many of a source's next contacts, by the code that decides. Those who wait are let in before them.
    ///
    /// - Parameters:
    ///   - weights: In place of the source's own; where an operator is named twice, the last weight counts.
    ///   - strategy: In place of the source's own.
    /// - Throws: ``CRMError/sourceNotFound(_:)``, ``CRMError/operatorNotFound(_:)``; ``CRMError/Unavailable/deadline``.
    public func previewDistribution(
        of id: SourceID, count: Int, weights: [WeightAssignment]? = nil, strategy: Strategy? = nil
    ) async throws -> DistributionPreview {
        let deadline = deadline
        let found = try await run(FetchDesk(id, weights: weights.map(distinct), strategy: strategy))
        let counts = try await think(by: deadline) {
            var desk = found.desk
            var counts: [OperatorID: Int] = [:]
            for number in 1...(found.waiting + count) {
                guard deadline > .now else { throw CRMError.unavailable(.deadline) }
                guard let taker = desk.next(at: id) else { break }
                if number > found.waiting { counts[taker, default: 0] += 1 }
            }
            return counts
        }
        let weights = Dictionary(
            uniqueKeysWithValues: found.desk.shares[id, default: []].map { ($0.operatorID, Double($0.weight)) })
        let sum = weights.values.reduce(0, +)
        return DistributionPreview(
            assigned: found.operators.map { one in
                DistributionPreview.Part(
                    operatorID: one.id, operatorName: one.name, count: counts[one.id] ?? 0,
                    expectedPercent: (10_000 * weights[one.id]! / sum).rounded() / 100)
            }, waiting: count - counts.values.reduce(0, +))
    }
}
