import Assignment
import Logging
import Model
import Postgres
import Store
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The one lane of this instance for every command that changes a load.
///
/// Model: while one transaction is in flight, arriving commands queue; when it has committed, all that queued go
/// together into the next. An idle instance commits a single command at once, a busy one hundreds together, and no
/// timer needs tuning. One thread owns the lane's connection.
///
/// Failure: ``BatchProgress`` decides what becomes of a batch; after a lost COMMIT the batch's id tells what became of
/// it. Each command is answered once, at its deadline at the latest, and is told "changed nothing" only if nothing can
/// still change.
final class Dispatcher: Sendable {
    private let configuration: CRM.Configuration
    private let logger: Logger
    private let metrics: AssignmentMetrics
    private let queue: JobQueue<LaneJob>
    private let state: Mutex<LaneState>

    /// Starts the lane's thread; it connects when the first command comes.
    init(_ configuration: CRM.Configuration, logger: Logger, metrics: AssignmentMetrics) {
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics
        queue = JobQueue(limit: configuration.queueLimit)
        state = Mutex(LaneState(parkedLimit: configuration.queueLimit))
        startThread { self.runLane() }
    }

    /// Carries out a command in one of the next transactions. It is answered with ``CRMError`` if it fails; any other error
    /// is a defect.
    func carryOut(_ job: LaneJob) {
        do throws(PostgresError) {
            try queue.add(job, deadline: job.deadline)
        } catch {
            job.fail(with: CRMError(error) ?? error)
        }
    }

    /// Carries out commands that came together, in their order, as there is room for them beside those that came alone.
    ///
    /// - Throws: ``CRMError/unavailable(_:)`` if too many wait; then none is carried out.
    func carryOut(_ jobs: [LaneJob]) throws(CRMError) {
        guard state.withLock({ $0.addBulk(jobs, limit: configuration.queueLimit) }) else {
            throw .unavailable(.queueFull)
        }
        // Wakes the lane, if it waits for a command.
        admitWaiting(at: [])
    }

    /// Lets in who waits at these sources, in one of the next transactions and those that follow it.
    func admitWaiting(at sources: [SourceID]) {
        let job = LaneJob.admission(at: sources)
        // A full queue is busy with commands, which let in too.
        try? queue.add(job, deadline: job.deadline)
    }

    /// How many commands wait for a transaction.
    var waitingCommands: Int { queue.count + state.withLock(\.bulk.count) }

    /// How many commands wait for rows that somebody else keeps locked.
    var parkedCommands: Int { state.withLock(\.parked.count) }

    /// Answers the commands whose deadline has passed. To be called every few milliseconds.
    func expire(now: ContinuousClock.Instant = .now) {
        let obstacle = state.withLock { state in
            state.expire(now: now)
            return state.obstacle
        }
        for job in queue.removeExpired(now: now) { job.fail(with: obstacle) }
    }

    /// Ends the lane once what waits is done.
    func close() { queue.close() }

    // MARK: - The lane's thread

    private func runLane() {
        var connection: Connection?
        var watch = StandstillWatch(patience: configuration.gatePatience)
        while true {
            switch state.withLock({ $0.next() }) {
            case .batch: carryOutCurrent(on: &connection, &watch, mayGrow: false)
            case .retry: tryParked(on: &connection, &watch)
            case .queue(let end):
                // Those that came alone come first, and leave some room for those that came together.
                let limit = configuration.batchLimit
                let share = state.withLock(\.bulk.isEmpty) ? 0 : limit / 4
                let jobs = fill(
                    queue.take(until: end) { fitting($0.lazy.map(\.job.request), upTo: limit - share) })
                guard !jobs.isEmpty else {
                    guard let end else { return }
                    // The queue is closed; parked commands have until their deadline.
                    if end > .now { usleep(10_000) }
                    continue
                }
                state.withLock { $0.begin(jobs) }
                carryOutCurrent(on: &connection, &watch, mayGrow: true)
            }
        }
    }

    /// How many of the requests, from the first on, fit into a batch.
    private func fitting(
        _ requests: some Sequence<AssignmentRequest>, into batch: Batch = Batch(), upTo limit: Int? = nil
    ) -> Int {
        var batch = batch
        var count = 0
        for request in requests {
            guard batch.requests.count < limit ?? configuration.batchLimit, batch.add(request) else { break }
            count += 1
        }
        return count
    }

    /// Adds what came while the batch waited at the gate: the busier the instances, the larger their batches.
    private func grow() {
        let current = state.withLock(\.current)
        let batch = Batch(current.map(\.request))
        let more = queue.takeWaiting { fitting($0.lazy.map(\.job.request), into: batch) }
        let all = fill(current + more)
        state.withLock { $0.grow(by: Array(all[current.count...])) }
    }

    /// Adds commands that came together, as many as fit.
    private func fill(_ jobs: [LaneJob]) -> [LaneJob] {
        if state.withLock(\.bulk.isEmpty) { return jobs }
        let batch = Batch(jobs.map(\.request))
        return jobs + state.withLock { $0.takeBulk { fitting($0.lazy.map(\.request), into: batch) } }
    }

    private func carryOutCurrent(
        on connection: inout Connection?, _ watch: inout StandstillWatch, mayGrow: Bool
    ) {
        var transaction = AssignmentTransaction(usesGate: configuration.usesGate)
        /// Of the attempts that may have committed.
        var decided: [Int32: (jobs: [LaneJob], decision: Decision)] = [:]
        while true {
            var jobs = state.withLock(\.current)
            guard let deadline = jobs.map(\.deadline).max() else { return state.withLock { $0.finish(backlog: [:]) } }
            let start = ContinuousClock.now
            let (attempt, isUncertain, locked, isolation) = state.withLock {
                let isUncertain = $0.progress.mayHaveCommitted
                $0.progress.beginAttempt()
                return ($0.progress.attempt, isUncertain, $0.locked, $0.isolation(now: start))
            }
            do {
                try connect(&connection, deadline: deadline)
                if isUncertain, let committed = try transaction.committedAttempt(on: &connection!) {
                    return finish(decided[committed]!.jobs, decided[committed]!.decision)
                }
                let isFirst = mayGrow && attempt == 1
                // The gate is held meanwhile, so it is waited for once.
                let lockLimit = isFirst && locked.isEmpty ? Self.lockLimit : Self.shortLockLimit
                let opening = try passGate(
                    transaction, isolation, on: &connection!, &watch, deadline: deadline, lockLimit: lockLimit)
                let open = ContinuousClock.now
                if isFirst { grow() }
                if !isUncertain { state.withLock { $0.expireHopeless(most: configuration.requestTimeout / 2) } }
                jobs = state.withLock(\.current)
                transaction.batch = Batch(jobs.map(\.request))
                transaction.backlog = state.withLock(\.backlog)
                // What may have been carried out already must not be carried out again in another batch.
                let plan = try transaction.decide(
                    on: &connection!, after: opening, avoiding: isUncertain ? nil : locked)
                jobs = park(plan, of: jobs)
                let decision = plan.decision
                guard decision.answers.count == jobs.count else {
                    throw PostgresError.decoding("\(decision.answers.count) answers to \(jobs.count) commands")
                }
                // Where an earlier attempt may have committed, a refusal is written, too: only the batch's id keeps that one from
                // coming after it.
                guard let writes = plan.writes ?? (isUncertain ? [] : nil) else {
                    try connection!.rollBack()
                    return finish(jobs, decision)
                }
                guard let lockLimit = beginCommit(of: jobs, lockLimit: lockLimit) else {
                    try connection!.rollBack()
                    continue
                }
                decided[attempt] = (jobs, decision)
                let secondFlight = ContinuousClock.now
                try transaction.commit(writes, lockLimit: lockLimit, attempt: attempt, on: &connection!)
                metrics.record(
                    batchSize: jobs.count, admitted: decision.changes.admitted, start: start,
                    secondFlight: secondFlight)
                state.withLock { $0.transactionTime = .now - open }
                return finish(jobs, decision)
            } catch {
                recover(&connection)
                switch next(after: error, size: jobs.count) {
                case .retry(let longest):
                    usleep(UInt32.random(in: 0...UInt32(longest / .microseconds(1))))
                    state.withLock { $0.expireCurrent(now: .now) }
                case .relax: relax()
                case .avoidLocks: if avoidLocks(of: transaction, on: &connection) { return }
                case .split: return split(after: error)
                case .refuse: return refuse(jobs, after: error)
                case .giveUp: return fail(jobs, with: CRMError.unavailable(.outcomeUnknown))
                }
            }
        }
    }

    // MARK: The gate

    /// Begins the transaction once the gate opens. Throws out who stands still behind it meanwhile.
    private func passGate(
        _ transaction: AssignmentTransaction, _ isolation: AssignmentTransaction.Isolation,
        on connection: inout Connection, _ watch: inout StandstillWatch, deadline: ContinuousClock.Instant,
        lockLimit: Duration
    ) throws -> AssignmentTransaction.Opening {
        while true {
            let left = deadline - .now
            guard left > .zero else { throw PostgresError.deadlineExceeded }
            do {
                return try transaction.begin(
                    isolation, on: &connection, limits: .init(gate: min(watch.pause, left), lock: lockLimit, time: left)
                )
            } catch PostgresError.server(let error) where error.kind == .locked {
                try connection.rollBack()
                try look(&watch, on: &connection)
            }
        }
    }

    private func look(_ watch: inout StandstillWatch, on connection: inout Connection) throws {
        do {
            let ended = try watch.look(on: &connection)
            guard !ended.isEmpty else { return }
            metrics.countStandstills(ended.count)
            logger.warning("an instance stood still in its transaction: its session was ended, process \(ended)")
        } catch PostgresError.server(let error) {
            // No command's fault.
            logger.warning("cannot look who stands still: \(error.message)")
        }
    }

    // MARK: Locked rows

    /// How long a row is waited for; all instances wait meanwhile.
    private static let lockLimit = Duration.milliseconds(50)
    /// The same for what has waited before.
    private static let shortLockLimit = Duration.milliseconds(10)

    /// Puts off the commands that wait for a lock.
    ///
    /// - Returns: Whether the batch is done with; if not, whole tables are locked.
    private func avoidLocks(of transaction: AssignmentTransaction, on connection: inout Connection?) -> Bool {
        let found: LockedRows
        do {
            guard connection != nil else { return false }
            connection!.deadline = .now + .seconds(1)
            found = try transaction.lockedRows(on: &connection!)
        } catch {
            recover(&connection)
            usleep(50_000)
            return false
        }
        let isNew = state.withLock { state in
            let isNew = !state.locked.isSuperset(of: found)
            state.avoid(found, sources: transaction.sources)
            return isNew
        }
        if isNew { logger.warning("somebody keeps rows locked; who needs them waits: \(found)") }
        return true
    }

    private func park(_ plan: AssignmentTransaction.Plan, of jobs: [LaneJob]) -> [LaneJob] {
        if plan.obstructed.isEmpty { return jobs }
        let parked = Set(plan.obstructed.map { ObjectIdentifier(jobs[$0].reply) })
        state.withLock { state in
            state.lock(plan.locked)
            state.park { parked.contains(ObjectIdentifier($0.reply)) }
        }
        return jobs.filter { !parked.contains(ObjectIdentifier($0.reply)) }
    }

    private func tryParked(on connection: inout Connection?, _ watch: inout StandstillWatch) {
        var locked = state.withLock(\.locked)
        do {
            if !locked.isEmpty {
                try connect(&connection, deadline: .now + .seconds(1))
                locked = try AssignmentTransaction.locked(
                    locked, usesGate: configuration.usesGate, on: &connection!)
                // It may be an instance's transaction: without the gate, or with more than the gate.
                if !locked.isEmpty { try look(&watch, on: &connection!) }
            }
        } catch {
            recover(&connection)
        }
        state.withLock { $0.tryAgain(locked) { fitting($0.lazy.map(\.request)) } }
    }

    // MARK: Ends of a batch

    /// Marks the current batch as one that may commit, unless one of its jobs was told that nothing changed. Who has
    /// next to no time left is told so now: later the answer could only be that the outcome is unknown.
    ///
    /// - Returns: How long each statement may wait for a locked row without one of the jobs getting into that situation.
    private func beginCommit(of jobs: [LaneJob], lockLimit: Duration) -> Duration? {
        let now = ContinuousClock.now
        let margin = Duration.milliseconds(50)
        return state.withLock { state in
            state.expireCurrent(now: now + margin)
            guard let first = state.current.map(\.deadline).min(), state.current.count == jobs.count else { return nil }
            state.progress.beginCommit()
            // Five statements of the second flight may meet a locked row, one after another.
            return min(lockLimit, (first - margin - now) / 5)
        }
    }

    private func connect(_ connection: inout Connection?, deadline: ContinuousClock.Instant) throws {
        if connection?.isIdle != true {
            connection = nil
            connection = try Connection(configuration.connection)
        }
        // PostgreSQL keeps to the deadline by itself; this is for one that no longer answers.
        connection!.deadline = deadline + .milliseconds(500)
        state.withLock { $0.progress.connect() }
    }

    /// Rolls back; a connection that is not fit for the next transaction then is discarded.
    private func recover(_ connection: inout Connection?) {
        connection?.deadline = .now + .seconds(1)
        if (try? connection?.rollBack()) == nil || connection?.isIdle != true { connection = nil }
    }

    private func next(after error: any Error, size: Int) -> BatchProgress.Next {
        let (next, progress) = state.withLock {
            ($0.progress.fail(with: error, size: size, usesGate: configuration.usesGate), $0.progress)
        }
        switch (next, error) {
        case (.retry, let error as PostgresError), (.relax, let error as PostgresError),
            (.avoidLocks, let error as PostgresError):
            metrics.countRetry(after: error)
            logger.log(
                level: progress.obstacle == .deadline ? .debug : .warning, "trying again: \(error.details)",
                metadata: ["attempt": "\(progress.attempt)"])
        default: break
        }
        return next
    }

    private func relax() {
        metrics.countIsolationFallback()
        logger.warning(
            "PostgreSQL finds nearly no transaction serializable, because of somebody's open ones: for 5 s at REPEATABLE READ, behind the gate"
        )
        state.withLock { $0.relax(now: .now) }
    }

    private func split(after error: any Error) {
        state.withLock { $0.split() }
        logger.warning("batch refused, splitting it: \(describe(error))")
    }

    private func refuse(_ jobs: [LaneJob], after error: any Error) {
        logger.error("command refused: \(describe(error))")
        guard case PostgresError.server(let refusal) = error, refusal.kind == .data else {
            return fail(jobs, with: error)
        }
        fail(jobs, with: CRMError.rejected)
    }

    private func describe(_ error: any Error) -> String { (error as? PostgresError)?.details ?? "\(error)" }

    private func fail(_ jobs: [LaneJob], with error: any Error) {
        state.withLock { $0.finish(backlog: [:]) }
        for job in jobs { job.fail(with: error) }
    }

    private func finish(_ jobs: [LaneJob], _ decision: Decision) {
        state.withLock { $0.finish(backlog: decision.backlog) }
        for (job, answer) in zip(jobs, decision.answers) { job.reply(answer.mapError { $0 }) }
    }
}
