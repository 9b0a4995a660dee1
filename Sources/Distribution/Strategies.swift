import Model

extension Desk {
    /// By the source's strategy one of the candidates, of whom there is at least one; and with what probability it is this one.
    mutating func choose(
        among candidates: [Share], at source: SourceID
    ) -> (operatorID: OperatorID, probability: Double) {
        switch strategies[source] ?? .weightedRandom {
        case .weightedRandom: draw(from: candidates)
        case .smoothWeighted: nextInTurn(among: candidates, at: source)
        case .leastLoaded: leastLoaded(of: candidates, at: source)
        }
    }

    /// With probability weight / sum of the candidates' weights.
    private mutating func draw(from candidates: [Share]) -> (OperatorID, Double) {
        let sum = sum(candidates)
        var ticket = Int64.random(in: 0..<sum, using: &generator)
        let drawn = candidates.first { share in
            ticket -= Int64(share.weight)
            return ticket < 0
        }!
        return (drawn.operatorID, Double(drawn.weight) / Double(sum))
    }

    private func sum(_ candidates: [Share]) -> Int64 { candidates.reduce(0) { $0 + Int64($1.weight) } }

    /// Each candidate's credit grows by the weight, and who is picked loses the sum of weights: credits are in contacts
    /// times that sum, they sum to zero, and they say how far behind its share each one is.
    ///
    /// Credits are good for one set of candidates with their weights. Where it is another one now, all begin at zero, and
    /// the first contact goes by chance, but for the source's first one: so nothing is carried from one set to the next, and
    /// no weight starves where the set changes with each contact.
    private mutating func nextInTurn(among candidates: [Share], at source: SourceID) -> (OperatorID, Double) {
        var turns = self.turns.removeValue(forKey: source)!
        defer { self.turns[source] = turns }
        let sum = sum(candidates)
        let isUnused = turns.values.allSatisfy { $0 == Turn() }
        let credits = candidates.compactMap { turns[$0.operatorID]!.credit }
        let known = turns.values.count { $0.credit != nil }
        let isSameSet =
            credits.count == candidates.count && known == credits.count && credits.allSatisfy { $0.magnitude < sum }
            && credits.reduce(0, +) == 0
        if !isSameSet {
            for id in turns.keys { turns[id]!.credit = nil }
            for share in candidates { turns[share.operatorID]!.credit = 0 }
        }
        for share in candidates { turns[share.operatorID]!.credit! += Int64(share.weight) }
        func isBefore(_ one: Share, _ other: Share) -> Bool {
            urgency(one, turns, of: candidates.count, sum) < urgency(other, turns, of: candidates.count, sum)
        }
        let picked = isSameSet || isUnused ? (candidates.min(by: isBefore)!.operatorID, 1) : draw(from: candidates)
        turns[picked.0]!.credit! -= sum
        return picked
    }

    /// The smallest is next: the largest credit, then who waited longest, then the smaller id.
    ///
    /// That keeps up to three within one contact of their shares, but not more of them: with weights 1, 10, 100 and 1000 some
    /// fall nearly two behind. So of four and more who are owed something comes next who would first be a whole contact behind
    /// (Tijdeman's solution of the chairman assignment problem).
    private func urgency(
        _ share: Share, _ turns: [OperatorID: Turn], of count: Int, _ sum: Int64
    ) -> (Int64, Int64, Int64, OperatorID) {
        let (turn, weight) = (turns[share.operatorID]!, Int64(share.weight))
        let credit = turn.credit!
        let contactsLeft = count <= 3 ? 0 : credit <= 0 ? .max : (sum - credit + weight - 1) / weight
        return (contactsLeft, -credit, turn.givenAt?.microsecondsSince2000 ?? .min, share.operatorID)
    }

    /// The smallest current_load / max_load, then who waited longest for a contact of the source, then by chance.
    private mutating func leastLoaded(of candidates: [Share], at source: SourceID) -> (OperatorID, Double) {
        func isBefore(_ one: Share, _ other: Share) -> Bool {
            let (its, others) = (capacities[one.operatorID]!, capacities[other.operatorID]!)
            let (load, otherLoad) = (
                Int64(its.currentLoad) * Int64(others.maxLoad), Int64(others.currentLoad) * Int64(its.maxLoad)
            )
            func givenAt(_ share: Share) -> Int64 {
                turns[source]![share.operatorID]!.givenAt?.microsecondsSince2000 ?? .min
            }
            return (load, givenAt(one)) < (otherLoad, givenAt(other))
        }
        let best = candidates.min(by: isBefore)!
        let equals = candidates.filter { !isBefore(best, $0) }
        return (equals.randomElement(using: &generator)!.operatorID, 1 / Double(equals.count))
    }
}
