extension PromiseCheck {
    /// The probability below which a deviation of the shares is taken for a fault, for all sources of a run together.
    private static let significance = 1e-6

    /// Checks what the sources' strategy promises of how contacts are shared.
    static func shares(_ fixture: Fixture, _ ledger: Ledger, _ seen: Observation) -> PromiseCheck {
        if fixture.strategy == .leastLoaded { return levelLoads(fixture, ledger, seen) }
        let isInTurn = fixture.strategy == .smoothWeighted
        let promise = isInTurn ? "each within one contact of its share" : "shares follow the weights"
        func isNeverFull(_ id: Int64) -> Bool {
            fixture.sources.reduce(0) { $0 + (seen.listed[.init(source: $1.id, operator: id)] ?? 0) } < fixture.maxLoad
        }
        guard fixture.operators.allSatisfy(isNeverFull) else {
            return PromiseCheck(promise: promise, isKept: nil, detail: "operators were full")
        }
        let counts = fixture.sources.map { source in
            fixture.operators.map { seen.listed[.init(source: source.id, operator: $0)] ?? 0 }
        }
        return isInTurn ? inTurn(promise, fixture, counts) : byChance(promise, fixture, counts)
    }

    /// - Parameter counts: For each source the contacts of each operator.
    private static func byChance(_ promise: String, _ fixture: Fixture, _ counts: [[Int]]) -> PromiseCheck {
        let probabilities = zip(fixture.sources, counts).compactMap { source, counts in
            ChiSquare.probability(counts: counts, weights: source.weights).map { (source.id, $0) }
        }
        guard let least = probabilities.min(by: { $0.1 < $1.1 }) else {
            return PromiseCheck(promise: promise, isKept: nil, detail: "too few contacts or operators")
        }
        return PromiseCheck(
            promise: promise, isKept: least.1 >= significance / Double(probabilities.count),
            detail: "chi-square, source \(least.0): p = \(significant(least.1))"
                + (probabilities.count > 1 ? ", the least of \(probabilities.count)" : ""))
    }

    /// - Parameter counts: For each source the contacts of each operator.
    private static func inTurn(_ promise: String, _ fixture: Fixture, _ counts: [[Int]]) -> PromiseCheck {
        let furthest = zip(fixture.sources, counts).map { source, counts in
            let (total, sum) = (counts.reduce(0, +), source.weights.reduce(0, +))
            // Times the sum of weights, to be exact.
            let distances = zip(counts, source.weights).map { abs($0 * sum - total * $1) }
            return (source.id, distance: Double(distances.max()!) / Double(sum))
        }.max { $0.distance < $1.distance }!
        return PromiseCheck(
            promise: promise, isKept: furthest.distance <= 1,
            detail: "source \(furthest.0): \(significant(furthest.distance)) at most")
    }

    /// All operators have the same `max_load` and every source, so that their loads differ by one at most until a contact
    /// is closed.
    private static func levelLoads(_ fixture: Fixture, _ ledger: Ledger, _ seen: Observation) -> PromiseCheck {
        let promise = "loads are level"
        guard seen.active.values.reduce(0, +) == seen.listed.values.reduce(0, +) else {
            return PromiseCheck(promise: promise, isKept: nil, detail: "contacts were closed")
        }
        let loads = fixture.operators.map { seen.active[$0] ?? 0 }
        let (least, most) = (loads.min()!, loads.max()!)
        return PromiseCheck(
            // A registration of unknown outcome may have been committed while the lists were read.
            promise: promise, isKept: most - least <= 1 + ledger.unknown,
            detail: "from \(grouped(least)) to \(grouped(most))")
    }
}
