public import Model

extension Decision {
    /// Makes of the successes of requests with a key that changed something the answers that are kept.
    ///
    /// - Parameter batch: What was decided.
    /// - Returns: What to keep.
    public mutating func keepAnswers(to batch: Batch) -> [(key: IdempotencyKey, answer: KeptAnswer)] {
        guard batch.hasKeys else { return [] }
        var kept: [(IdempotencyKey, KeptAnswer)] = []
        for (index, request) in batch.requests.enumerated() {
            guard let idempotency = request.idempotency, case .success(let outcome) = answers[index],
                hasChanged(request.command, outcome)
            else { continue }
            let answer = idempotency.answer(outcome)
            answers[index] = .success(.kept(answer, outcome))
            kept.append((idempotency.key, answer))
        }
        return kept
    }

    private func hasChanged(_ command: AssignmentCommand, _ outcome: AssignmentOutcome) -> Bool {
        switch (command, outcome) {
        case (.requeue(let id), _): changes.moves.contains { $0.id == id }
        // Without contacts it is the end of one that had some.
        case (.release(_, let contacts), .released(let release)): release.released > 0 || contacts.isEmpty
        default: true
        }
    }

    /// Adds answers that were kept before.
    ///
    /// - Parameters:
    ///   - kept: By the indices of their requests.
    ///   - indices: Those of the requests that were decided, in ascending order, as are the answers.
    public mutating func insert(_ kept: [Int: Result<KeptAnswer, CRMError>], among indices: [Int]) {
        if kept.isEmpty { return }
        let replays = kept.mapValues { $0.map { AssignmentOutcome.kept($0, nil) } }
        answers = replays.merging(zip(indices, answers)) { $1 }.sorted { $0.key < $1.key }.map(\.value)
    }
}
