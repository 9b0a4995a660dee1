import Distribution
import Model
import Testing

@Suite struct DeskTests {
    /// A desk of one source, id 1, whose operators are numbered from 1.
    private func desk(
        loads: [(load: Int32, limit: Int32)], weights: [Int32], waiting: [Int64] = [], inactive: Set<Int64> = [],
        seed: UInt64 = 1
    ) -> Desk {
        var capacities: [OperatorID: Desk.Capacity] = [:]
        for (index, operator_) in loads.enumerated() {
            let id = Int64(index + 1)
            capacities[OperatorID(id)] = Desk.Capacity(
                isActive: !inactive.contains(id), maxLoad: operator_.limit, currentLoad: operator_.load)
        }
        let shares = weights.enumerated().map {
            Desk.Share(operatorID: OperatorID(Int64($0.offset + 1)), weight: $0.element)
        }
        let placements = waiting.map {
            (ContactID($0), Desk.Placement(sourceID: SourceID(1), operatorID: nil, isActive: true))
        }
        return Desk(
            capacities: capacities, shares: [SourceID(1): shares],
            placements: Dictionary(uniqueKeysWithValues: placements), seed: seed)
    }

    private func registrations(_ ids: some Sequence<Int64>) -> [Desk.Change] {
        ids.map { .register(ContactID($0), SourceID(1)) }
    }

    @Test("The chance of an operator is the weight over the sum of the weights")
    func sharesFollowWeights() throws {
        var desk = desk(loads: [(0, 1_000_000), (0, 1_000_000)], weights: [10, 30])
        _ = desk.carryOut(registrations(1...20_000))
        let first = Double(desk.capacities[OperatorID(1)]!.currentLoad)
        let chiSquare = (first - 5000) * (first - 5000) / 5000 + (first - 5000) * (first - 5000) / 15_000
        #expect(chiSquare < 10.828, "\(first) of 20,000 went to the operator with a quarter of the weights")
    }

    @Test("Whoever is full or inactive is left out of the sum, also within one batch")
    func unavailableOperatorsAreLeftOut() {
        var desk = desk(loads: [(2, 2), (0, 50), (0, 100), (0, 100)], weights: [1000, 10, 10, 1000], inactive: [4])
        let results = desk.carryOut(registrations(1...200))
        #expect(desk.capacities[OperatorID(1)]!.currentLoad == 2)
        #expect(desk.capacities[OperatorID(2)]!.currentLoad == 50)
        #expect(desk.capacities[OperatorID(3)]!.currentLoad == 100)
        #expect(desk.capacities[OperatorID(4)]!.currentLoad == 0)
        #expect(results.filter { (try? $0.get())?.operatorID == nil }.count == 50)
    }

    @Test("An operator who may take a contact of any load and limit takes it exactly if there is room")
    func everySmallCase() {
        for load in Int32(0)...4 {
            for limit in Int32(1)...3 {
                for isActive in [false, true] {
                    for batch in 1...4 {
                        var desk = desk(
                            loads: [(load, limit)], weights: [1], inactive: isActive ? [] : [1])
                        _ = desk.carryOut(registrations(1...Int64(batch)))
                        let room = isActive ? max(0, limit - load) : 0
                        #expect(desk.capacities[OperatorID(1)]!.currentLoad == load + min(room, Int32(batch)))
                    }
                }
            }
        }
    }

    @Test("A freed place goes to the oldest who waits, before the next new contact")
    func oldestFirst() {
        var desk = desk(loads: [(1, 1)], weights: [1], waiting: [30, 20, 40])
        desk = with(desk, placement: 10, at: 1)
        let results = desk.carryOut([
            .register(ContactID(50), SourceID(1)), .update(ContactID(10), isActive: false, operatorID: nil),
            .register(ContactID(60), SourceID(1)),
        ])
        #expect(results.allSatisfy { (try? $0.get()) != nil })
        #expect(desk.placements[ContactID(20)]?.operatorID == OperatorID(1))
        for id in [30, 40, 50, 60] as [Int64] { #expect(desk.placements[ContactID(id)]?.operatorID == nil) }
    }

    @Test("Of several sources that share an operator, the oldest contact is let in whichever it is")
    func oldestAcrossSources() {
        let share = [Desk.Share(operatorID: OperatorID(1), weight: 1)]
        var desk = Desk(
            capacities: [OperatorID(1): .init(isActive: true, maxLoad: 2, currentLoad: 0)],
            shares: [SourceID(1): share, SourceID(2): share],
            placements: [
                ContactID(3): .init(sourceID: SourceID(1), operatorID: nil, isActive: true),
                ContactID(1): .init(sourceID: SourceID(2), operatorID: nil, isActive: true),
                ContactID(2): .init(sourceID: SourceID(2), operatorID: nil, isActive: true),
            ], seed: 1)
        _ = desk.carryOut([.register(ContactID(4), SourceID(1))])
        let given = desk.placements.filter { $0.value.operatorID != nil }.keys.sorted()
        #expect(given == [ContactID(1), ContactID(2)])
    }

    @Test("A reopened contact goes to its operator, else to another, else it waits")
    func reopening() throws {
        for (loads, expected) in [
            ([(0, 1), (0, 1)], 1), ([(1, 1), (0, 1)], 2), ([(1, 1), (1, 1)], nil),
        ] as [([(Int32, Int32)], Int64?)] {
            var desk = with(desk(loads: loads, weights: [1, 1000]), placement: 7, at: 1, isActive: false)
            let placement = try desk.carryOut([.update(ContactID(7), isActive: true, operatorID: nil)])[0].get()
            #expect(placement.isActive)
            #expect(placement.operatorID == expected.map { OperatorID($0) })
        }
    }

    @Test("A transfer needs an active operator with room, and an active contact")
    func transfers() {
        let start = with(
            with(desk(loads: [(1, 1), (1, 1), (0, 1), (0, 1)], weights: [1], inactive: [3]), placement: 7, at: 1),
            placement: 8, at: 1, isActive: false)
        func transfer(_ contact: Int64, to id: Int64) -> Result<Desk.Placement, Desk.Refusal> {
            var desk = start
            return desk.carryOut([.update(ContactID(contact), isActive: nil, operatorID: OperatorID(id))])[0]
        }
        #expect(transfer(7, to: 2) == .failure(.operatorFull))
        #expect(transfer(7, to: 3) == .failure(.operatorInactive))
        #expect(transfer(7, to: 9) == .failure(.operatorNotFound))
        #expect(transfer(8, to: 4) == .failure(.contactClosed))
        #expect(transfer(9, to: 4) == .failure(.contactNotFound))
        #expect((try? transfer(7, to: 4).get())?.operatorID == OperatorID(4))
        #expect((try? transfer(7, to: 1).get())?.operatorID == OperatorID(1), "it is there already")
    }

    @Test("Whatever is asked: no limit passed, loads counted, nobody waits beside room, nobody overtaken")
    func properties() {
        for seed in UInt64(1)...3000 {
            var random = SplitMix64(seed: seed)
            let (start, commands) = randomDesk(using: &random)
            var desk = start
            let results = desk.carryOut(commands)
            check(desk, from: start, commands, seed)
            checkRecord(of: desk, from: start, seed)

            var again = start
            #expect(again.carryOut(commands) == results, "seed \(seed): the same plan is made again")
        }
    }

    @Test(
        "The same holds where only the oldest of those who wait are known, and transactions follow until nobody is left"
    )
    func propertiesOfParts() {
        for seed in UInt64(1)...3000 {
            var random = SplitMix64(seed: seed)
            let (whole, commands) = randomDesk(using: &random)
            let share = Int.random(in: 1...3, using: &random)
            var (after, rest, rounds) = (whole, commands, 0)
            while rounds < 100 {
                var desk = part(of: after, share, naming: rest)
                let before = desk
                _ = desk.carryOut(rest)
                checkRecord(of: desk, from: before, seed)
                after = Desk(
                    capacities: desk.capacities, shares: whole.shares, strategies: Self.strategies,
                    turns: desk.turns, rooms: desk.rooms,
                    placements: after.placements.merging(desk.placements) { $1 }, seed: random.next())
                if desk.backlog.isEmpty { break }
                rest = []
                rounds += 1
            }
            #expect(rounds < 100, "seed \(seed): each transaction lets somebody in")
            check(after, from: whole, commands, seed)
        }
    }

    // MARK: -

    /// The desk as a transaction knows it, which reads the oldest contacts that wait at each source and those that
    /// commands name. Without commands nothing frees a place, and it reads only contacts that can be let in.
    private func part(of desk: Desk, _ share: Int, naming commands: [Desk.Change]) -> Desk {
        let waiting = Dictionary(
            grouping: desk.placements.filter { $0.value.isActive && $0.value.operatorID == nil }.keys
                .sorted { place($0, in: desk) < place($1, in: desk) }
        ) { desk.placements[$0]!.sourceID }
        .filter { source, _ in
            !commands.isEmpty || hasRoom(at: source, desk)
        }
        let named = commands.compactMap { if case .update(let id, _, _, _) = $0 { id } else { nil } }
        let known = Set(waiting.values.flatMap { $0.prefix(share + 1) } + named)
        return Desk(
            capacities: desk.capacities, shares: desk.shares, strategies: Self.strategies, turns: desk.turns,
            rooms: desk.rooms,
            placements: desk.placements.filter { id, placement in
                placement.operatorID != nil || !placement.isActive || known.contains(id)
            },
            unread: waiting.filter { $0.value.count > share + 1 }.mapValues { place($0[share], in: desk) }, seed: 1)
    }

    private func hasRoom(at source: SourceID, _ desk: Desk) -> Bool {
        desk.shares[source]!.contains {
            desk.capacities[$0.operatorID]!.isAvailable && desk.rooms[source]?[$0.operatorID] ?? 1 > 0
        }
    }

    /// Source 1 is served in turn, source 2 by load, the others by chance.
    private static let strategies: [SourceID: Strategy] = [SourceID(1): .smoothWeighted, SourceID(2): .leastLoaded]

    private func place(_ contact: ContactID, in desk: Desk) -> QueuePlace {
        QueuePlace(priority: desk.placements[contact]!.priority, contact: contact)
    }

    private func with(_ desk: Desk, placement id: Int64, at operatorID: Int64, isActive: Bool = true) -> Desk {
        var placements = desk.placements
        placements[ContactID(id)] = .init(
            sourceID: SourceID(1), operatorID: OperatorID(operatorID), isActive: isActive)
        return Desk(
            capacities: desk.capacities,
            shares: [SourceID(1): desk.capacities.keys.sorted().map { .init(operatorID: $0, weight: 1) }],
            placements: placements, seed: 1)
    }

    private struct World {
        var capacities: [OperatorID: Desk.Capacity] = [:]
        var shares: [SourceID: [Desk.Share]] = [:]
        var rooms: [SourceID: [OperatorID: Int32]] = [:]
        var placements: [ContactID: Desk.Placement] = [:]
    }

    private func randomDesk(using random: inout SplitMix64) -> (Desk, [Desk.Change]) {
        var world = World()
        let (operators, sources) = (Int64.random(in: 1...5, using: &random), Int64.random(in: 1...4, using: &random))
        var loads: [OperatorID: Int32] = [:]
        for id in 1...Int64.random(in: 1...30, using: &random) {
            let operatorID = OperatorID(Int64.random(in: 1...operators, using: &random))
            let (isGiven, isActive) = (Bool.random(using: &random), Int.random(in: 0..<4, using: &random) > 0)
            world.placements[ContactID(id)] = .init(
                sourceID: SourceID(.random(in: 1...sources, using: &random)),
                operatorID: isGiven ? operatorID : nil, isActive: isActive, priority: .random(in: 0...2, using: &random)
            )
            if isGiven, isActive { loads[operatorID, default: 0] += 1 }
        }
        for id in 1...operators {
            world.capacities[OperatorID(id)] = .init(
                isActive: Int.random(in: 0..<5, using: &random) > 0, maxLoad: .random(in: 1...6, using: &random),
                currentLoad: loads[OperatorID(id)] ?? 0)
        }
        for source in 1...sources {
            world.shares[SourceID(source)] = (1...operators).filter { _ in Bool.random(using: &random) }
                .map { .init(operatorID: OperatorID($0), weight: .random(in: 1...9, using: &random)) }
            for share in world.shares[SourceID(source)]! where Bool.random(using: &random) {
                let held = world.placements.values.count {
                    $0.isActive && $0.operatorID == share.operatorID && $0.sourceID == SourceID(source)
                }
                world.rooms[SourceID(source), default: [:]][share.operatorID] =
                    .random(in: 1...4, using: &random) - Int32(held)
            }
        }
        var named = world.placements.keys.sorted().shuffled(using: &random)[...]
        let commands = (0..<Int.random(in: 0...20, using: &random)).map { number -> Desk.Change in
            if Bool.random(using: &random) || named.isEmpty {
                return .register(
                    ContactID(Int64(1000 + number)), SourceID(.random(in: 1...sources, using: &random)),
                    priority: .random(in: 0...2, using: &random),
                    preferring: Bool.random(using: &random) ? OperatorID(.random(in: 1...6, using: &random)) : nil)
            }
            let isActive = [nil, false, true].randomElement(using: &random)!
            let operatorID =
                Int.random(in: 0..<3, using: &random) == 0
                ? OperatorID(.random(in: 1...operators + 1, using: &random)) : nil
            return .update(
                named.removeFirst(), isActive: isActive, operatorID: operatorID,
                priority: [nil, 0, 1, 2].randomElement(using: &random)!)
        }
        let desk = Desk(
            capacities: world.capacities, shares: world.shares,
            strategies: Self.strategies, rooms: world.rooms,
            placements: world.placements, seed: random.next())
        return (desk, commands)
    }

    /// Every choice can be made again from what is kept, and every move is in it.
    private func checkRecord(of desk: Desk, from start: Desk, _ seed: UInt64) {
        let record = DeskRecord(of: start, desk.steps)
        let kept = try? DeskRecord(bytes: record.bytes)
        #expect(kept?.steps == desk.steps, "seed \(seed): the record is read as it was written")
        let choices = kept?.choices ?? []
        #expect(choices.allSatisfy { $0.again == $0.recorded }, "seed \(seed): \(choices)")
        #expect(
            choices.count == desk.steps.count { if case .given(_, _, .strategy) = $0.event { true } else { false } },
            "seed \(seed): every choice is made again")
        var last: [ContactID: OperatorID?] = [:]
        for step in desk.steps {
            switch step.event {
            case .given(let contact, let id, _): last[contact] = .some(id)
            case .left(let contact): last[contact] = .some(nil)
            case .freed: break
            }
        }
        for (contact, placement) in desk.placements where placement.isActive {
            let before = start.placements[contact]
            if let before, before.isActive, before.operatorID == placement.operatorID { continue }
            #expect(last[contact] == .some(placement.operatorID), "seed \(seed): contact \(contact)")
            let explanation = kept?.explanation(
                of: contact, names: [:], event: (1, Timestamp(microsecondsSince2000: 0)))
            #expect(explanation?.chosen?.operatorID == placement.operatorID, "seed \(seed): contact \(contact)")
        }
    }

    @Test("Ids and times at the ends of their range are recorded as all others")
    func extremes() throws {
        let (first, last) = (OperatorID(.min), OperatorID(.max))
        let source = SourceID(.min)
        let capacity = Desk.Capacity(isActive: true, maxLoad: .max, currentLoad: 0)
        let start = Desk(
            capacities: [first: capacity, last: capacity],
            shares: [source: [.init(operatorID: first, weight: .max), .init(operatorID: last, weight: 1)]],
            strategies: [source: .leastLoaded],
            turns: [
                source: [
                    first: Desk.Turn(givenAt: Timestamp(microsecondsSince2000: .min)),
                    last: Desk.Turn(credit: .max, givenAt: Timestamp(microsecondsSince2000: .max)),
                ]
            ], placements: [:], clock: Timestamp(microsecondsSince2000: 800_000_000_000_000), seed: 1)
        var desk = start
        _ = desk.carryOut([.register(ContactID(.min), source), .register(ContactID(.max), source)])
        let record = try DeskRecord(bytes: DeskRecord(of: start, desk.steps).bytes)
        #expect(record.steps == desk.steps)
        #expect(record.choices.map(\.again) == [first, last])
    }

    @Test("What is no record is refused, whatever it is")
    func malformedRecords() {
        for seed in UInt64(1)...300 {
            var random = SplitMix64(seed: seed)
            let (start, commands) = randomDesk(using: &random)
            var desk = start
            _ = desk.carryOut(commands)
            let bytes = DeskRecord(of: start, desk.steps).bytes
            for length in 0..<bytes.count {
                #expect(throws: (any Error).self, "seed \(seed)") {
                    try DeskRecord(bytes: Array(bytes.prefix(length)))
                }
            }
            #expect(throws: (any Error).self) { try DeskRecord(bytes: bytes + [0]) }
            for index in bytes.indices {
                var changed = bytes
                changed[index] ^= UInt8.random(in: 1...255, using: &random)
                // Refused or another record, which is explained or has no choices that can be made.
                if let record = try? DeskRecord(bytes: changed) { _ = record.choices }
            }
        }
    }

    private func check(_ desk: Desk, from start: Desk, _ commands: [Desk.Change], _ seed: UInt64) {
        for (id, capacity) in desk.capacities {
            let counted = desk.placements.values.filter { $0.isActive && $0.operatorID == id }.count
            #expect(Int(capacity.currentLoad) == counted, "seed \(seed): operator \(id)'s load is a count")
            let limit = max(capacity.maxLoad, start.capacities[id]!.currentLoad)
            #expect(capacity.currentLoad <= limit, "seed \(seed): operator \(id) is over the limit")
        }
        for (source, rooms) in desk.rooms {
            for (id, room) in rooms {
                func held(_ desk: Desk) -> Int {
                    desk.placements.values.count { $0.isActive && $0.operatorID == id && $0.sourceID == source }
                }
                let before = start.rooms[source]![id]!
                #expect(Int(before - room) == held(desk) - held(start), "seed \(seed): room of \(id) is a count")
                #expect(room >= min(before, 0), "seed \(seed): operator \(id) is over the limit of source \(source)")
            }
        }
        for (id, placement) in desk.placements where placement.isActive && placement.operatorID == nil {
            #expect(!hasRoom(at: placement.sourceID, desk), "seed \(seed): contact \(id) waits beside room")
        }
        let touched = Set(
            commands.compactMap { command -> ContactID? in
                if case .update(let id, _, _, _) = command { id } else { nil }
            })
        let untouched = desk.placements.filter {
            !touched.contains($0.key) && start.placements[$0.key]?.isActive ?? true
        }
        for (id, placement) in untouched where placement.operatorID == nil {
            for (other, itsPlacement) in untouched
            where itsPlacement.sourceID == placement.sourceID && place(other, in: desk) > place(id, in: desk)
                // One of higher priority that comes later finds others gone.
                && (start.placements[id] != nil || other > id)
            {
                let wasWaiting = start.placements[other].map { $0.operatorID == nil } ?? true
                #expect(
                    itsPlacement.operatorID == nil || !wasWaiting, "seed \(seed): contact \(other) overtook \(id)")
            }
        }
    }
}

extension Desk {
    /// A batch of changes.
    mutating func carryOut(_ changes: [Change]) -> [Result<Placement, Refusal>] {
        admitWaiting()
        return changes.map { carryOut($0) }
    }
}
