import Assignment
import Model
import Postgres
import Testing

@testable import CRM

/// What comes next in the lane, without a database.
@Suite struct LaneStateTests {
    private func job(at source: Int64 = 1) -> LaneJob {
        let identity = LeadIdentity(externalID: nil, phone: nil, email: nil)
        let command = AssignmentCommand.register(
            NewContact(sourceID: SourceID(source), identity: identity, leadName: nil, message: nil))
        return LaneJob(request: AssignmentRequest(command), deadline: .now + .seconds(60), reply: Reply(nil))
    }

    private func sources(_ jobs: [LaneJob]) -> [Int64] {
        jobs.map {
            if case .register(let contact) = $0.command { contact.sourceID.rawValue } else { 0 }
        }
    }

    private var later: ContinuousClock.Instant { .now + .seconds(3600) }

    @Test("A batch that waits for locked rows that are seen comes again at once, to be run without who needs them")
    func seen() {
        var state = LaneState()
        state.begin([job(at: 1), job(at: 2)])
        var found = LockedRows()
        found.sources = [SourceID(1)]
        state.avoid(found)
        if !state.goOn() { Issue.record("nothing goes on") }
        #expect(sources(state.current) == [2] && sources(state.parked) == [1])
        state.finish(backlog: [:])
        #expect(state.next(now: later) == .retry)
        state.tryAgain(LockedRows()) { $0.count }
        if !state.goOn() { Issue.record("nothing goes on") }
        #expect(sources(state.current) == [1] && state.parked.isEmpty)
        state.finish(backlog: [:])
        #expect(state.next(now: later) == .queue(until: nil))
    }

    @Test("A batch that waits for what nobody sees is cut by sources until the one that waits stands alone")
    func unseen() {
        var state = LaneState()
        state.begin((1...8).map { job(at: $0) } + (1...8).map { job(at: $0) })
        var carriedOut: [Int64] = []
        var attempts = 0
        repeat {
            attempts += 1
            if sources(state.current).contains(5) {
                state.avoid(LockedRows())
            } else {
                carriedOut += sources(state.current)
                state.finish(backlog: [:])
            }
        } while state.goOn()
        #expect(carriedOut.sorted() == [1, 2, 3, 4, 6, 7, 8].flatMap { [$0, $0] })
        #expect(sources(state.parked) == [5, 5])
        #expect(attempts == 7, "log2 of 8, twice, and the first")
        state.begin([job(at: 5), job(at: 6)])
        #expect(sources(state.current) == [6], "who comes later waits too")
    }

    @Test("Pauses double to half a second, and begin anew when nothing is locked")
    func pauses() {
        var state = LaneState()
        func pause(_ state: LaneState) -> Duration? {
            guard case .queue(let end?) = state.peek else { return nil }
            return end - .now
        }
        var pauses: [Duration] = []
        for _ in 1...8 {
            state.begin([job()])
            state.avoid(LockedRows())
            pauses.append(pause(state) ?? .zero)
            #expect(state.next(now: later) == .retry)
            state.tryAgain(LockedRows()) { $0.count }
            if !state.goOn() { Issue.record("nothing goes on") }
        }
        let wanted = [10, 20, 40, 80, 160, 320, 500, 500].map(Duration.milliseconds)
        #expect(zip(pauses, wanted).allSatisfy { $0 <= $1 && $0 > $1 - .milliseconds(9) }, "\(pauses)")
        state.finish(backlog: [:])
        state.begin([job()])
        state.avoid(LockedRows())
        #expect(pause(state)! <= .milliseconds(10))
    }

    @Test("The queue and what is left to let in take turns")
    func turns() {
        var state = LaneState()
        state.begin([job()])
        state.finish(backlog: [SourceID(7): .sweep])
        for _ in 1...3 {
            guard case .queue(let end?) = state.next() else {
                Issue.record("the queue has no turn")
                return
            }
            #expect(end <= .now, "it waits for nobody")
            #expect(state.next() == .batch)
            state.finish(backlog: [SourceID(7): .sweep])
        }
        if !state.goOn() { Issue.record("nothing goes on") }
        state.expireCurrent(now: later)
        state.finish(backlog: [:])
        #expect(state.next() == .queue(until: nil), "what is not let in in time is left to the sweep")
    }

    @Test("Who has less time left than twice the last transaction is told so before the next begins")
    func hopeless() {
        var state = LaneState()
        func left(after time: Duration) -> Int {
            state.begin([job(), .admission(at: [SourceID(1)])])
            state.transactionTime = time
            state.expireHopeless(most: .seconds(100))
            return state.current.count
        }
        // The job has 60 s.
        #expect(left(after: .seconds(20)) == 2)
        #expect(left(after: .seconds(31)) == 1, "the admission stays")
    }

    @Test("An admission at several sources is cut, one alone left to the sweep")
    func admission() {
        var state = LaneState()
        state.begin([.admission(at: [1, 2, 3].map { SourceID($0) })])
        state.avoid(LockedRows())
        var alone = 0
        while state.goOn() {
            if case .admitWaiting(let sources)? = state.current.first?.command, sources.count == 1 { alone += 1 }
            state.avoid(LockedRows())
        }
        #expect(alone == 3 && state.parked.isEmpty)
    }
}

extension LaneState {
    /// Goes on with what was cut or parked, past the queue's turn; whether there was any.
    fileprivate mutating func goOn() -> Bool {
        for _ in 1...2 where next(now: .now - .seconds(1)) == .batch { return true }
        return false
    }

    /// What comes next, without doing it.
    fileprivate var peek: Step {
        var copy = self
        return copy.next(now: .now - .seconds(1))
    }
}
