import Distribution
import Model
import Testing

/// What each strategy makes of weights, loads and limits, without a database.
@Suite struct StrategyTests {
    private let source = SourceID(1)

    /// A desk of one source whose operators are numbered from `first`, in that order.
    private func desk(
        _ strategy: Strategy, weights: [Int32], limit: Int32 = 1_000_000_000, first: Int64 = 1,
        reversed: Bool = false, seed: UInt64 = 1
    ) -> Desk {
        let ids = weights.indices.map { OperatorID(first + Int64($0)) }
        let shares = zip(ids, weights).map { Desk.Share(operatorID: $0, weight: $1) }
        return Desk(
            capacities: Dictionary(
                uniqueKeysWithValues: ids.map { ($0, .init(isActive: true, maxLoad: limit, currentLoad: 0)) }),
            shares: [source: reversed ? shares.reversed() : shares], strategies: [source: strategy], placements: [:],
            seed: seed)
    }

    /// The next transaction's desk, which knows of the one before what is in the database.
    private func next(
        _ desk: Desk, absent: Set<OperatorID> = [], loads: Int32? = nil, seed: UInt64 = 2
    ) -> Desk {
        Desk(
            capacities: desk.capacities.reduce(into: [:]) { capacities, entry in
                capacities[entry.key] = .init(
                    isActive: !absent.contains(entry.key), maxLoad: entry.value.maxLoad,
                    currentLoad: loads ?? entry.value.currentLoad)
            },
            shares: desk.shares, strategies: [source: .smoothWeighted], turns: desk.turns, placements: [:],
            clock: desk.turns[source]!.values.compactMap(\.givenAt).max() ?? Timestamp(microsecondsSince2000: 0),
            seed: seed)
    }

    /// Registers contacts, and tells who got each.
    private func register(_ count: Int64, _ desk: inout Desk, from first: Int64 = 1) -> [OperatorID] {
        (first..<first + count).map { try! desk.carryOut(.register(ContactID($0), source)).get().operatorID! }
    }

    /// Whether each stays within one contact of its share at every prefix.
    private func expectWithinOne(_ given: [OperatorID], _ shares: [Desk.Share], _ what: String) {
        let sum = shares.reduce(0) { $0 + Int64($1.weight) }
        var counts: [OperatorID: Int64] = [:]
        for (index, id) in given.enumerated() {
            counts[id, default: 0] += 1
            for share in shares {
                let deviation = counts[share.operatorID, default: 0] * sum - Int64(index + 1) * Int64(share.weight)
                guard abs(deviation) <= sum else {
                    Issue.record(
                        "\(what): after \(index + 1) with weights \(shares.map(\.weight)) \(share.operatorID) is \(deviation) / \(sum) off"
                    )
                    return
                }
            }
        }
    }

    private func randomWeights(_ random: inout SplitMix64) -> [Int32] {
        let choices: [[Int32]] = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 10, 100, 1000], [1, 1, 1, 37, 100], [7]]
        let choice = choices.randomElement(using: &random)!
        return (0..<Int.random(in: 1...24, using: &random)).map { _ in choice.randomElement(using: &random)! }
    }

    @Test("Weights 5, 1, 1 are served as nginx serves them")
    func nginx() {
        var desk = desk(.smoothWeighted, weights: [5, 1, 1])
        #expect(register(14, &desk).map(\.rawValue) == [1, 1, 2, 1, 3, 1, 1, 1, 1, 2, 1, 3, 1, 1])
    }

    @Test("In turn each stays within one contact of its share at every prefix, however batches cut the contacts")
    func withinOne() {
        for seed in UInt64(1)...100 {
            var random = SplitMix64(seed: seed)
            var desk = desk(.smoothWeighted, weights: randomWeights(&random))
            var given: [OperatorID] = []
            while given.count < 2000 {
                given += register(.random(in: 1...300, using: &random), &desk, from: Int64(given.count + 1))
                #expect(desk.turns[source]!.values.reduce(0) { $0 + $1.credit! } == 0)
                desk = next(desk, seed: random.next())
            }
            expectWithinOne(given, desk.shares[source]!, "seed \(seed)")
        }
    }

    @Test("Whoever was away for 10,000 contacts gets no burst on return, and those who stayed owe nothing")
    func noBurst() {
        for seed in UInt64(1)...20 {
            var random = SplitMix64(seed: seed)
            var desk = desk(.smoothWeighted, weights: randomWeights(&random) + [3])
            let shares = desk.shares[source]!
            let away = shares.randomElement(using: &random)!.operatorID
            _ = register(.random(in: 1...500, using: &random), &desk)
            desk = next(desk, absent: [away])
            let others = shares.filter { $0.operatorID != away }
            if !others.isEmpty {
                let before = desk.turns[source]![away]!.givenAt
                let given = register(10_000, &desk, from: 1000)
                expectWithinOne(given, others, "seed \(seed), away")
                #expect(desk.turns[source]![away] == Desk.Turn(credit: nil, givenAt: before))
            }
            desk = next(desk, seed: seed + 2)
            expectWithinOne(register(2000, &desk, from: 20_000), shares, "seed \(seed), back")
        }
    }

    @Test("The same within a batch: who becomes full by its own contacts, and has room again")
    func fullWithinBatch() throws {
        var desk = desk(.smoothWeighted, weights: [1, 1, 2], limit: 2)
        _ = register(6, &desk)
        #expect(try desk.carryOut(.register(ContactID(7), source)).get().operatorID == nil)
        desk = next(desk, loads: 0)
        expectWithinOne(register(4, &desk, from: 10), desk.shares[source]!, "")
    }

    @Test("Where the set of those available changes with each contact, no weight starves")
    func changingSets() {
        var desk = desk(.smoothWeighted, weights: [1, 1, 8])
        var counts: [OperatorID: Int] = [:]
        for round in Int64(1)...5_000 {
            desk = next(desk, absent: [OperatorID(1 + round % 2)], seed: UInt64(round))
            counts[register(1, &desk, from: round)[0], default: 0] += 1
        }
        for id in [OperatorID(1), OperatorID(2)] {
            let expected = 5_000.0 / 2 / 9
            #expect(abs(Double(counts[id, default: 0]) - expected) < 4 * expected.squareRoot(), "\(counts)")
        }
    }

    @Test("Where the distribution is set anew before each contact, no weight starves")
    func changingDistribution() {
        var desk = desk(.smoothWeighted, weights: [1, 1, 8])
        var counts: [OperatorID: Int] = [:]
        for round in Int64(1)...5_000 {
            counts[register(1, &desk, from: round)[0], default: 0] += 1
            let turns = desk.turns[source]!.mapValues { Desk.Turn(givenAt: $0.givenAt) }
            desk = Desk(
                capacities: desk.capacities, shares: desk.shares, strategies: [source: .smoothWeighted],
                turns: [source: turns], placements: [:], seed: UInt64(round))
        }
        for id in [OperatorID(1), OperatorID(2)] {
            #expect(abs(Double(counts[id, default: 0]) - 500) < 4 * 500.0.squareRoot(), "\(counts)")
        }
    }

    @Test("Credits that do not fit together, as after a change by hand, begin anew")
    func brokenCredits() {
        for credits in [[3, -1, -1], [nil, 0, 0], [.max, .min, 1], [1000, -1000, 0]] as [[Int64?]] {
            let fresh = desk(.smoothWeighted, weights: [5, 1, 1])
            var broken = Desk(
                capacities: fresh.capacities, shares: fresh.shares, strategies: [source: .smoothWeighted],
                turns: [
                    source: Dictionary(
                        uniqueKeysWithValues: credits.enumerated().map {
                            (OperatorID(Int64($0.offset + 1)), Desk.Turn(credit: $0.element))
                        })
                ], placements: [:], seed: 1)
            expectWithinOne(register(100, &broken), fresh.shares[source]!, "\(credits)")
        }
    }

    @Test(
        "Equal weights and equal loads are even over 10,000, whatever the ids and the order of rows",
        arguments: [Strategy.weightedRandom, .leastLoaded], [false, true])
    func even(strategy: Strategy, reversed: Bool) {
        var counts: [OperatorID: Double] = [:]
        var random = SplitMix64(seed: 7)
        for _ in 0..<10_000 {
            var desk = desk(
                strategy, weights: Array(repeating: 1, count: 10), first: 90, reversed: reversed, seed: random.next())
            counts[register(1, &desk)[0], default: 0] += 1
        }
        let chiSquare = (90..<100 as Range<Int64>).reduce(0.0) {
            let difference = counts[OperatorID($1), default: 0] - 1000
            return $0 + difference * difference / 1000
        }
        #expect(chiSquare < 27.877, "9 degrees of freedom, 99.9 %: \(counts)")
    }

    @Test("In turn and by load, equal ones go to who waited longest, in whatever order batches came")
    func longestWait() {
        for strategy in [Strategy.smoothWeighted, .leastLoaded] {
            var desk = desk(strategy, weights: [1, 1, 1, 1, 1], limit: 1_000_000)
            let order = register(5, &desk)
            #expect(Set(order).count == 5)
            // All are empty again, and only the turns tell them apart.
            for round in UInt64(1)...20 {
                let turns = desk.turns[source]!.mapValues { Desk.Turn(credit: 0, givenAt: $0.givenAt) }
                desk = Desk(
                    capacities: desk.capacities.mapValues {
                        .init(isActive: true, maxLoad: $0.maxLoad, currentLoad: 0)
                    },
                    shares: desk.shares, strategies: [source: strategy], turns: [source: turns], placements: [:],
                    clock: Timestamp(microsecondsSince2000: Int64(round) * 1_000_000), seed: round)
                #expect(register(5, &desk, from: Int64(round) * 10) == order, "\(strategy)")
            }
        }
    }

    @Test("By load whoever has the smallest part of the limit taken gets the next contact, exactly")
    func leastLoaded() {
        let limits: [Int32] = [1, 2, 3, 2_000_000_000, 2_147_483_647]
        var random = SplitMix64(seed: 3)
        for _ in 0..<2000 {
            let capacities = Dictionary(
                uniqueKeysWithValues: (1...5 as ClosedRange<Int64>).map { id in
                    let limit = limits.randomElement(using: &random)!
                    return (
                        OperatorID(id),
                        Desk.Capacity(
                            isActive: true, maxLoad: limit,
                            currentLoad: limit < 9
                                ? .random(in: 0..<limit, using: &random) : limit - .random(in: 1...3, using: &random))
                    )
                })
            var desk = Desk(
                capacities: capacities,
                shares: [source: capacities.keys.map { Desk.Share(operatorID: $0, weight: 1) }],
                strategies: [source: .leastLoaded], placements: [:], seed: random.next())
            let picked = capacities[register(1, &desk)[0]]!
            for other in capacities.values {
                #expect(
                    Int64(picked.currentLoad) * Int64(other.maxLoad) <= Int64(other.currentLoad) * Int64(picked.maxLoad)
                )
            }
        }
    }

    @Test("A weight's own limit holds for its source alone: in admission, transfer and reopening")
    func rooms() throws {
        let other = SourceID(2)
        var desk = Desk(
            capacities: [OperatorID(1): .init(isActive: true, maxLoad: 9, currentLoad: 1)],
            shares: [
                source: [.init(operatorID: OperatorID(1), weight: 1)],
                other: [.init(operatorID: OperatorID(1), weight: 1)],
            ],
            rooms: [source: [OperatorID(1): 1]],
            placements: [
                ContactID(1): .init(sourceID: source, operatorID: OperatorID(1), isActive: true),
                ContactID(2): .init(sourceID: source, operatorID: nil, isActive: true),
                ContactID(3): .init(sourceID: source, operatorID: nil, isActive: true),
                ContactID(4): .init(sourceID: source, operatorID: OperatorID(1), isActive: false),
                ContactID(5): .init(sourceID: source, operatorID: nil, isActive: true),
            ], seed: 1)
        desk.admitWaiting()
        #expect(desk.placements[ContactID(2)]?.operatorID == OperatorID(1))
        #expect(desk.placements[ContactID(3)]?.operatorID == nil)
        #expect(
            desk.carryOut(.update(ContactID(5), isActive: nil, operatorID: OperatorID(1))) == .failure(.shareFull))
        #expect(
            desk.carryOut(.update(ContactID(4), isActive: true, operatorID: OperatorID(1))) == .failure(.shareFull))
        #expect(try desk.carryOut(.update(ContactID(4), isActive: true, operatorID: nil)).get().operatorID == nil)
        #expect(try desk.carryOut(.register(ContactID(6), other)).get().operatorID == OperatorID(1))
        _ = desk.carryOut(.update(ContactID(1), isActive: false, operatorID: nil))
        #expect(desk.placements[ContactID(3)]?.operatorID == OperatorID(1), "the place goes to the first who waits")
        #expect(desk.placements[ContactID(4)]?.operatorID == nil)
        #expect(desk.capacities[OperatorID(1)]?.currentLoad == 3)
    }

    @Test("A contact whose priority is raised is let in before older ones, one that is lowered after newer ones")
    func priorities() {
        var desk = Desk(
            capacities: [OperatorID(1): .init(isActive: true, maxLoad: 4, currentLoad: 4)],
            shares: [source: [.init(operatorID: OperatorID(1), weight: 1)]],
            placements: (1...8 as ClosedRange<Int64>).reduce(into: [:]) { placements, id in
                placements[ContactID(id)] = .init(
                    sourceID: source, operatorID: id <= 4 ? OperatorID(1) : nil, isActive: true, priority: 5)
            }, seed: 1)
        _ = desk.carryOut([
            .update(ContactID(7), isActive: nil, operatorID: nil, priority: 9),
            .update(ContactID(5), isActive: nil, operatorID: nil, priority: 0),
            .register(ContactID(9), source, priority: 6),
        ])
        for (freed, admitted) in [(1, 7), (2, 9), (3, 6), (4, 8)] as [(Int64, Int64)] {
            _ = desk.carryOut(.update(ContactID(freed), isActive: false, operatorID: nil))
            #expect(desk.placements[ContactID(admitted)]?.operatorID == OperatorID(1), "\(admitted)")
        }
        #expect(desk.placements[ContactID(5)]?.operatorID == nil)
    }

    @Test("Who is preferred gets the contact if the source is theirs and they have room, else the strategy decides")
    func preferred() throws {
        var desk = desk(.smoothWeighted, weights: [1, 1000], limit: 1)
        func register(_ id: Int64, _ preferred: Int64) throws -> Int64? {
            try desk.carryOut(.register(ContactID(id), source, preferring: OperatorID(preferred))).get().operatorID?
                .rawValue
        }
        #expect(try register(1, 1) == 1)
        #expect(try register(2, 1) == 2, "the preferred one is full")
        #expect(try register(3, 1) == nil)
        var other = self.desk(.weightedRandom, weights: [1])
        #expect(
            try other.carryOut(.register(ContactID(1), source, preferring: OperatorID(9))).get().operatorID
                == OperatorID(1), "the source is not theirs")
    }
}
