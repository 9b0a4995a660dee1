import Assignment
import Model
import Postgres
import Store

/// A command on its way through the lane, answered once.
struct LaneJob: Sendable {
    let request: AssignmentRequest
    let deadline: ContinuousClock.Instant
    let reply: Reply<AssignmentOutcome>

    /// A job that nobody waits for. If it cannot be done at once, the sweep finds it again: commands must not wait for it.
    static func admission(at sources: [SourceID]) -> LaneJob {
        LaneJob(request: AssignmentRequest(.admitWaiting(sources)), deadline: .now + .seconds(5), reply: Reply(nil))
    }

    var command: AssignmentCommand { request.command }

    func fail(with error: any Error) { reply(.failure(error)) }

    fileprivate func expire(at now: ContinuousClock.Instant, with error: CRMError) -> Bool {
        guard deadline <= now else { return false }
        fail(with: error)
        return true
    }
}

/// What the lane has taken from the queue and not answered, and what comes next of it. Knows no database.
///
/// Commands that would wait for a row which somebody else keeps locked are *parked*: out of the way of all others, tried
/// again after pauses that double from 10 to 500 ms.
struct LaneState {
    /// The batch that is under way.
    private(set) var current: [LaneJob] = []
    var progress = BatchProgress()
    /// Batches to come before the queue: parts of one that was cut, and what was parked.
    private var later: [[LaneJob]] = []
    /// Commands that came many at once, in their order. They fill the batches of those that came by themselves.
    private(set) var bulk: [LaneJob] = []
    /// Commands that would wait for rows in `locked`.
    private(set) var parked: [LaneJob] = []
    /// The most of them; who comes later is refused.
    private let parkedLimit: Int
    private(set) var locked = LockedRows()
    /// When to look whether rows are locked still, and to try the parked ones again.
    private var retry: ContinuousClock.Instant?
    private var pause = Self.firstPause
    /// Sources at which contacts wait for another transaction to let them in, each with what made room for them.
    private(set) var backlog: [SourceID: ContactCause] = [:]
    /// Whether `later` and `backlog` come next, not the commands that queue: they take turns.
    private var isQueueServed = false
    private var relaxedUntil: ContinuousClock.Instant?
    /// How long the last transaction took from the gate to the end of COMMIT.
    var transactionTime = Duration.zero

    private static let firstPause = Duration.milliseconds(10)
    private static let longestPause = Duration.milliseconds(500)
    private static let relaxation = Duration.seconds(5)

    init(parkedLimit: Int = .max) { self.parkedLimit = parkedLimit }

    /// What the lane does next.
    enum Step: Equatable {
        /// Carries out ``current``.
        case batch
        /// Takes from the queue, waiting for commands until then at most; `nil`: as long as it takes.
        case queue(until: ContinuousClock.Instant?)
        /// Finds out which rows are locked still.
        case retry
    }

    /// Why a command that was not carried out in time was not.
    var obstacle: CRMError { .unavailable(progress.obstacle) }

    mutating func next(now: ContinuousClock.Instant = .now) -> Step {
        if let retry, retry <= now { return .retry }
        if isQueueServed,
            let jobs = later.popLast() ?? (backlog.isEmpty ? nil : [.admission(at: backlog.keys.sorted())])
        {
            isQueueServed = false
            begin(jobs)
            return .batch
        }
        isQueueServed = true
        return .queue(until: later.isEmpty && backlog.isEmpty && bulk.isEmpty ? retry : now)
    }

    // MARK: Many at once

    /// Adds jobs that came together: all, or none if there would be more than a limit. Of one call there is always room.
    mutating func addBulk(_ jobs: [LaneJob], limit: Int) -> Bool {
        guard bulk.isEmpty || bulk.count + jobs.count <= limit else { return false }
        bulk += jobs
        return true
    }

    /// Takes jobs that came together.
    ///
    /// - Parameter fitting: How many of them, from the first on, fit into a batch.
    mutating func takeBulk(fitting: (ArraySlice<LaneJob>) -> Int) -> [LaneJob] {
        let jobs = Array(bulk.prefix(fitting(bulk[...])))
        bulk.removeFirst(jobs.count)
        return jobs
    }

    // MARK: A batch

    /// Makes jobs the batch that is under way, but for those that have to wait for locked rows.
    mutating func begin(_ jobs: [LaneJob]) {
        current = jobs
        progress = BatchProgress(obstacle: progress.obstacle)
        parkObstructed()
    }

    /// Adds to the batch that is under way.
    mutating func grow(by jobs: [LaneJob]) {
        current += jobs
        parkObstructed()
    }

    private mutating func parkObstructed() {
        let locked = locked
        if locked.isEmpty { return }
        park { locked.obstruct($0.command) }
    }

    /// Takes jobs out of the batch that is under way, to be tried again later.
    mutating func park(where isObstructed: (LaneJob) -> Bool) {
        let obstructed = current.remove(where: isObstructed)
        guard !obstructed.isEmpty else { return }
        parked += obstructed
        retry = retry ?? .now + pause
        guard parked.count > parkedLimit else { return }
        for job in parked[parkedLimit...] { job.fail(with: CRMError.unavailable(.queueFull)) }
        parked.removeLast(parked.count - parkedLimit)
    }

    /// Puts off what needs a lock that was not to be had, and lets the others go on.
    ///
    /// - Parameters:
    ///   - found: The batch's rows that are locked. Where none is the cause that can be seen, as an index entry or a counter,
    ///     the batch is cut by its sources; if it has one only, that waits.
    ///   - sources: Those of the contacts that commands name, as far as they are known.
    mutating func avoid(_ found: LockedRows, sources: [ContactID: SourceID] = [:]) {
        defer { current = [] }
        if current.isEmpty { return }
        if !locked.isSuperset(of: found) {
            lock(found)
            return later.append(current)
        }
        let places = current.map { job in
            job.request.idempotency.map { .key($0.key.key) } ?? job.command.place(sources)
        }
        let groups = Dictionary(grouping: current.indices) { places[$0] }.values.sorted { $0[0] < $1[0] }
        guard groups.count > 1 else { return putOff(places[0]) }
        for part in groups.halves { later.append(part.joined().sorted().map { current[$0] }) }
    }

    /// Notes rows that are locked.
    mutating func lock(_ found: LockedRows) {
        if found.isEmpty { return }
        locked.formUnion(found)
        retry = retry ?? .now + pause
    }

    /// Puts off the batch that is under way, which nothing divides.
    private mutating func putOff(_ place: AssignmentCommand.Place) {
        if case .admitWaiting(let sources)? = current.first?.command {
            // The sweep finds one alone again.
            guard sources.count > 1 else { return finish(backlog: [:]) }
            for part in sources.halves { later.append([.admission(at: Array(part))]) }
            return
        }
        if case .source(let source) = place { locked.sources.insert(source) }
        park { _ in true }
    }

    /// Tries the parked ones again.
    ///
    /// - Parameters:
    ///   - stillLocked: The rows that are locked still.
    ///   - fitting: How many of the jobs, from the first on, fit into a batch.
    mutating func tryAgain(_ stillLocked: LockedRows, fitting: (ArraySlice<LaneJob>) -> Int) {
        // A source that no lock was found for may stand in the way of others again.
        let suspects = locked.sources.subtracting(stillLocked.sources)
        locked.keep(stillLocked)
        pause = min(pause * 2, Self.longestPause)
        let locked = locked
        let free = parked.remove { !locked.obstruct($0.command) }
        retry = parked.isEmpty && locked.isEmpty ? nil : .now + pause
        let groups = Dictionary(grouping: free.indices) { index -> SourceID? in
            guard case .register(let contact) = free[index].command else { return nil }
            return suspects.contains(contact.sourceID) ? contact.sourceID : nil
        }
        var batches: [[LaneJob]] = []
        for group in groups.values.sorted(by: { $0[0] < $1[0] }) {
            var rest = group.map { free[$0] }[...]
            while !rest.isEmpty {
                batches.append(Array(rest.prefix(fitting(rest))))
                rest = rest.dropFirst(batches.last!.count)
            }
        }
        later += batches.reversed()
    }

    // MARK: Isolation

    /// What the next transaction runs at.
    mutating func isolation(now: ContinuousClock.Instant) -> AssignmentTransaction.Isolation {
        if let end = relaxedUntil, end <= now { relaxedUntil = nil }
        return relaxedUntil == nil ? .serializable : .repeatableRead
    }

    /// Lets the transactions of the next 5 s run at REPEATABLE READ.
    mutating func relax(now: ContinuousClock.Instant) { relaxedUntil = now + Self.relaxation }

    // MARK: The end of a batch

    /// Divides the batch that is under way into halves.
    mutating func split() {
        later += current.halves.map(Array.init)
        current = []
    }

    /// Ends the batch that is under way; its jobs are answered.
    ///
    /// - Parameter left: The sources at which its transaction left contacts waiting though there is room.
    mutating func finish(backlog left: [SourceID: ContactCause]) {
        for case .admitWaiting(let sources) in current.map(\.command) { forget(sources) }
        backlog.merge(left) { $1 }
        current = []
        progress = BatchProgress()
        if retry == nil { pause = Self.firstPause }
    }

    private mutating func forget(_ sources: [SourceID]) {
        for source in sources { backlog[source] = nil }
    }

    /// Answers and takes out the jobs of the batch whose deadline has passed.
    mutating func expireCurrent(now: ContinuousClock.Instant) {
        let error = progress.mayHaveCommitted ? .unavailable(.outcomeUnknown) : obstacle
        for job in current where job.deadline <= now {
            // What was not let in in time is left to the sweep.
            if case .admitWaiting(let sources) = job.command { forget(sources) }
        }
        current.removeAll { $0.expire(at: now, with: error) }
    }

    /// Answers and takes out the commands of the batch that will not be done in time if this transaction takes twice as long
    /// as the last one: to begin with them would only make the others late, too.
    ///
    /// - Parameter margin: The most time left for which a command is given up.
    mutating func expireHopeless(most margin: Duration) {
        let end = ContinuousClock.now + min(transactionTime * 2, margin)
        let obstacle = obstacle
        current.removeAll { job in
            // For an admission nobody waits.
            if case .admitWaiting = job.command { false } else { job.expire(at: end, with: obstacle) }
        }
    }

    /// Answers the jobs whose deadline has passed.
    mutating func expire(now: ContinuousClock.Instant) {
        expireCurrent(now: now)
        let obstacle = obstacle
        for index in later.indices { later[index].removeAll { $0.expire(at: now, with: obstacle) } }
        bulk.removeAll { $0.expire(at: now, with: obstacle) }
        parked.removeAll { $0.expire(at: now, with: .unavailable(.deadline)) }
    }
}

extension Array {
    /// The second half and the first: the one to come first stands last, as ``LaneState`` takes them.
    fileprivate var halves: [ArraySlice<Element>] { [self[(count / 2)...], self[..<(count / 2)]] }

    /// Takes out the elements that satisfy a condition, and answers them in their order.
    fileprivate mutating func remove(where condition: (Element) -> Bool) -> [Element] {
        var (removed, kept): ([Element], [Element]) = ([], [])
        for element in self { if condition(element) { removed.append(element) } else { kept.append(element) } }
        self = kept
        return removed
    }
}

extension AssignmentCommand {
    /// What a batch is cut by when nobody knows which of its commands waits.
    fileprivate enum Place: Hashable {
        case source(SourceID)
        /// Contacts whose sources are not known: few places, or each would be an attempt of its own.
        case contacts(Int64)
        /// A request whose key somebody else may have taken and not committed.
        case key(String)
        case admission
        case staff
    }

    fileprivate func place(_ sources: [ContactID: SourceID]) -> Place {
        switch self {
        case .register(let contact): .source(contact.sourceID)
        case .updateContact(let id, _), .requeue(let id): place(of: id, sources)
        case .release(let id, let contacts): contacts.first.map { place(of: $0, sources) } ?? .contacts(id.rawValue % 4)
        case .admitWaiting: .admission
        case .updateOperator, .setDistribution: .staff
        }
    }

    private func place(of id: ContactID, _ sources: [ContactID: SourceID]) -> Place {
        sources[id].map { .source($0) } ?? .contacts(id.rawValue % 4)
    }
}
