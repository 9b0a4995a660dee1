public import Model

/// What a desk knew, of the sources whose contacts it gave away, and what it did: every choice can be made again from it, and be
/// explained. Pure.
public struct DeskRecord: Sendable {
    /// As it was at first.
    let desk: Desk
    public let steps: [Desk.Step]

    /// - Parameters:
    ///   - before: The desk as it was at first.
    ///   - steps: What it did since.
    public init(of before: Desk, _ steps: [Desk.Step]) {
        let sources = Set(steps.map(\.source))
        let shares = before.shares.filter { sources.contains($0.key) }
        var operators = Set(shares.values.joined().map(\.operatorID))
        for step in steps {
            switch step.event {
            case .given(_, let id, _), .freed(let id): operators.insert(id)
            case .left: break
            }
        }
        desk = Desk(
            capacities: before.capacities.filter { operators.contains($0.key) }, shares: shares,
            strategies: before.strategies.filter { sources.contains($0.key) },
            turns: before.turns.filter { sources.contains($0.key) },
            rooms: before.rooms.filter { sources.contains($0.key) }, placements: [:], clock: before.clock,
            seed: before.generator.state)
        self.steps = steps
    }

    init(_ desk: Desk, _ steps: [Desk.Step]) {
        self.desk = desk
        self.steps = steps
    }

    /// Everybody it knows of.
    public var operators: Set<OperatorID> {
        Set(desk.capacities.keys).union(desk.shares.values.joined().map(\.operatorID))
    }

    /// Who a contact went to by a source's strategy: what was recorded, and what the strategy says when asked again.
    public struct Choice: Sendable, Equatable {
        public let contact: ContactID
        public let recorded: OperatorID
        public let again: OperatorID
    }

    /// Makes every choice again.
    public var choices: [Choice] {
        var choices: [Choice] = []
        replay { step, desk in
            let again = desk.chooseAgain(for: step)
            guard case .given(let contact, let id, .strategy) = step.event, let again else { return }
            choices.append(Choice(contact: contact, recorded: id, again: again.operatorID))
        }
        return choices
    }

    /// How it was last decided who gets a contact, or that it waits; `nil`: it was not.
    ///
    /// - Parameters:
    ///   - names: Of operators.
    ///   - event: What tells of it.
    public func explanation(
        of contact: ContactID, names: [OperatorID: String], event: (id: Int64, at: Timestamp)
    ) -> AssignmentExplanation? {
        var explanation: AssignmentExplanation?
        replay { step, desk in
            switch step.event {
            case .given(contact, _, _), .left(contact): explanation = desk.explain(step, names, event)
            case .given, .left, .freed: _ = desk.chooseAgain(for: step)
            }
        }
        return explanation
    }

    /// Takes the steps once more.
    ///
    /// - Parameter visit: Gets each step and the desk before it, on which it chooses again.
    private func replay(_ visit: (Desk.Step, inout Desk) -> Void) {
        var desk = desk
        for step in steps {
            visit(step, &desk)
            switch step.event {
            case .given(_, let id, _): desk.take(id, at: step.source)
            case .left: break
            case .freed(let id): desk.leave(id, at: step.source)
            }
        }
    }
}

extension Desk {
    /// Whom the strategy chooses, if it is to choose.
    fileprivate mutating func chooseAgain(for step: Step) -> (operatorID: OperatorID, probability: Double)? {
        guard case .given(_, _, .strategy) = step.event else { return nil }
        let candidates = shares[step.source, default: []].filter {
            hasRoom($0.operatorID, at: step.source) && !step.passedOver.contains($0.operatorID)
        }
        return candidates.isEmpty ? nil : choose(among: candidates, at: step.source)
    }

    fileprivate mutating func explain(
        _ step: Step, _ names: [OperatorID: String], _ event: (id: Int64, at: Timestamp)
    ) -> AssignmentExplanation {
        // As it is before it chooses.
        let candidates = candidates(at: step, names)
        let again = chooseAgain(for: step)
        var chosen: AssignmentExplanation.Choice?
        var isSticky = false
        if case .given(_, let id, let way) = step.event {
            let weight = candidates.first { $0.operatorID == id }?.weight
            chosen = AssignmentExplanation.Choice(operatorID: id, weight: weight, probability: again?.probability ?? 1)
            isSticky = way == .sticky
        }
        return AssignmentExplanation(
            eventID: event.id, at: event.at, cause: step.cause, strategy: strategies[step.source] ?? .weightedRandom,
            isSticky: isSticky, chosen: chosen, candidates: candidates)
    }

    private func candidates(at step: Step, _ names: [OperatorID: String]) -> [AssignmentExplanation.Candidate] {
        shares[step.source, default: []].map { share in
            let id = share.operatorID
            let capacity = capacities[id]
            return AssignmentExplanation.Candidate(
                operatorID: id, operatorName: names[id], weight: share.weight,
                credit: strategies[step.source] == .smoothWeighted ? turns[step.source]?[id]?.credit : nil,
                currentLoad: capacity?.currentLoad ?? 0, maxLoad: capacity?.maxLoad ?? 0,
                reason: reason(against: id, at: step))
        }
    }

    private func reason(against id: OperatorID, at step: Step) -> AssignmentExplanation.Reason? {
        guard let capacity = capacities[id], capacity.isActive else { return .inactive }
        if !capacity.isAvailable { return .full }
        if !hasShareRoom(id, at: step.source) { return .sourceShareFull }
        return step.passedOver.contains(id) ? .passedOver : nil
    }
}
