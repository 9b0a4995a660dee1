import Testing

@testable import LoadTest

@Suite("The checks")
struct CheckTests {
    /// Two operators who share a source 1 : 3, and 4,000 contacts of theirs, 400 of them closed.
    private let fixture = Fixture(
        run: "1", operators: [1, 2], sources: [Fixture.Source(id: 9, weights: [1, 3])], maxLoad: 5_000,
        strategy: .weightedRandom)
    private var ledger = Ledger()
    private var seen = Observation()

    init() {
        for id in Int64(1)...4_000 { ledger.registered.insert(id) }
        for id in Int64(1)...400 { ledger.closed.insert(id) }
        ledger.keys.settled = 2_000
        ledger.keys.repetitions = 1_000
        ledger.batches = 10
        seen.listed = [pair(1): 1_000, pair(2): 3_000]
        seen.counted = seen.listed
        seen.active = [1: 900, 2: 2_700]
        seen.operators = [
            API.Operator(id: 1, maxLoad: 5_000, currentLoad: 900),
            API.Operator(id: 2, maxLoad: 5_000, currentLoad: 2_700),
        ]
    }

    private func pair(_ operatorID: Int64?) -> Observation.Pair { .init(source: 9, operator: operatorID) }

    /// The promises that the check calls broken, and those that it does not mention.
    private func broken(
        _ strategy: Options.Strategy = .weightedRandom, _ change: (inout Ledger, inout Observation) -> Void
    ) -> (broken: [String], open: [String]) {
        var (ledger, seen) = (ledger, seen)
        change(&ledger, &seen)
        let fixture = Fixture(
            run: "1", operators: [1, 2], sources: fixture.sources, maxLoad: 5_000, strategy: strategy)
        let checks = PromiseCheck.all(fixture, ledger, seen)
        return (checks.filter { $0.isKept == false }.map(\.promise), checks.filter { $0.isKept == nil }.map(\.promise))
    }

    @Test("Nothing is broken where nothing is")
    func clean() {
        let result = broken { _, _ in }
        #expect(result.broken == [])
        #expect(result.open == [])
    }

    @Test("A load above the limit, told or counted, and an operator who is gone")
    func loads() {
        let promise = ["no load over its limit"]
        #expect(broken { $1.operators[1] = API.Operator(id: 2, maxLoad: 2_699, currentLoad: 2_700) }.broken == promise)
        #expect(broken { $1.operators[1] = API.Operator(id: 2, maxLoad: 2_699, currentLoad: 2_699) }.broken == promise)
        #expect(broken { $1.operators[1] = API.Operator(id: 2, maxLoad: 2_700, currentLoad: 2_700) }.broken == [])
        #expect(broken { $1.operators.removeLast() }.broken == promise)
    }

    @Test("An acknowledged contact that is not there, one acknowledged twice, a closing that was lost")
    func acknowledged() {
        #expect(
            broken {
                $1.missing.insert(17)
                $1.listed[pair(1)] = 999
                $1.counted[pair(1)] = 999
            }.broken == ["each acknowledged contact present"])
        #expect(broken { ledger, _ in ledger.repeated = 1 }.broken == ["nothing acknowledged twice"])
        #expect(broken { $1.reopened.insert(17) }.broken == ["what was closed stays closed"])
        let untouched = broken { ledger, _ in ledger.closed = IdentifierSet() }
        #expect(untouched.open == ["what was closed stays closed"])
    }

    @Test("A contact that nobody was told of is a fault, unless its request had no answer")
    func surplus() {
        func addOne(_ seen: inout Observation) {
            seen.listed[pair(2)]! += 1
            seen.counted[pair(2)]! += 1
        }
        #expect(broken { addOne(&$1) }.broken == ["nothing stored that was refused"])
        #expect(
            broken { ledger, seen in
                addOne(&seen)
                ledger.unknown = 1
            }.broken == [])
        // A missing contact makes no room for another contact.
        #expect(
            broken { _, seen in
                addOne(&seen)
                seen.missing.insert(17)
                seen.listed[pair(1)]! -= 1
                seen.counted[pair(1)]! -= 1
            }.broken == ["each acknowledged contact present", "nothing stored that was refused"])
    }

    @Test("Counts that differ from the lists")
    func counts() {
        #expect(broken { $1.counted[pair(nil)] = 1 }.broken == ["stats/distribution agrees with the lists"])
        #expect(broken { $1.counted[pair(2)] = nil }.broken == ["stats/distribution agrees with the lists"])
    }

    @Test("Shares other than the weights', as long as everybody had room")
    func shares() {
        func even(_ seen: inout Observation) {
            seen.listed = [pair(1): 2_000, pair(2): 2_000]
            seen.counted = seen.listed
        }
        #expect(broken { even(&$1) }.broken == ["shares follow the weights"])
        for strategy in [Options.Strategy.weightedRandom, .smoothWeighted] {
            let full = Fixture(
                run: "1", operators: [1, 2], sources: fixture.sources, maxLoad: 2_000, strategy: strategy)
            var seen = seen
            even(&seen)
            #expect(PromiseCheck.all(full, ledger, seen).last?.isKept == nil)
        }
    }

    @Test("Shares in turn: each within one contact")
    func inTurn() {
        func give(_ first: Int, _ second: Int, _ seen: inout Observation) {
            seen.listed = [pair(1): first, pair(2): second]
            seen.counted = seen.listed
        }
        #expect(broken(.smoothWeighted) { _, _ in }.broken == [])
        #expect(broken(.smoothWeighted) { give(999, 3_001, &$1) }.broken == [])
        #expect(broken(.smoothWeighted) { give(998, 3_002, &$1) }.broken == ["each within one contact of its share"])
        #expect(
            broken(.smoothWeighted) { give(1_001, 2_998, &$1) }.broken.contains("each within one contact of its share"))
    }

    @Test("Level loads, as long as nothing was closed")
    func levelLoads() {
        func load(_ first: Int, _ second: Int, _ seen: inout Observation) {
            seen.active = [1: first, 2: second]
            seen.listed = [pair(1): first, pair(2): second]
            seen.counted = seen.listed
        }
        #expect(broken(.leastLoaded) { _, _ in }.open == ["loads are level"])
        #expect(broken(.leastLoaded) { load(2_000, 2_000, &$1) } == ([], []))
        #expect(broken(.leastLoaded) { load(2_001, 1_999, &$1) }.broken == ["loads are level"])
    }

    @Test("A key with two contacts, a repetition that is answered otherwise, a batch out of order")
    func repetitions() {
        #expect(broken { $1.twice.insert(17) }.broken == ["no key counted twice"])
        let promise = ["a repetition gets the first answer"]
        #expect(broken { ledger, _ in ledger.keys.differing = 1 }.broken == promise)
        #expect(broken { ledger, _ in ledger.keys.mismarked = 1 }.broken == promise)
        #expect(broken { ledger, _ in ledger.keys.unsettled = 1 }.broken == promise)
        #expect(broken { ledger, _ in ledger.disordered = 1 }.broken == ["results of a batch in order"])
        let untouched = broken { ledger, _ in
            ledger.keys = KeyCounts()
            ledger.batches = 0
        }
        #expect(
            untouched == (
                [], ["no key counted twice", "a repetition gets the first answer", "results of a batch in order"]
            ))
    }
}
