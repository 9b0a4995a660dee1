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
    private struct Job: Sendable {
        let command: AssignmentCommand
        let deadline: ContinuousClock.Instant
        let reply: Reply<AssignmentOutcome>

        func expire(at now: ContinuousClock.Instant, with error: CRMError) -> Bool {
            guard deadline <= now else { return false }
            reply(.failure(error))
            return true
        }
    }

    /// What the lane has taken from the queue and not answered.
    private struct InFlight {
        var current: [Job] = []
        var progress = BatchProgress()
        /// Parts of a batch that was split.
        var later: [[Job]] = []
        /// Sources at which contacts wait for another transaction to let them in.
        var backlog: Set<SourceID> = []
        /// Whether those come next, not the commands that queue: they take turns.
        var isBacklogNext = false

        /// Why a command that was not carried out in time was not.
        var obstacle: CRMError { .unavailable(progress.isDatabaseAway ? .database : .deadline) }
    }

    private let configuration: ConnectionConfiguration
    private let usesGate: Bool
    private let batchLimit: Int
    private let logger: Logger
    private let metrics: AssignmentMetrics
    private let queue: JobQueue<Job>
    private let inFlight = Mutex(InFlight())

    /// Starts the lane's thread; it connects when the first command comes.
    ///
    /// - Parameters:
    ///   - usesGate: Whether to queue with other instances before the snapshot. Without it they meet in conflicts
    ///     and retry; the guarantee is the same.
    ///   - batchLimit: The most commands in one transaction.
    ///   - queueLimit: The most commands that may wait.
    init(
        _ configuration: ConnectionConfiguration, usesGate: Bool, batchLimit: Int, queueLimit: Int, logger: Logger,
        metrics: AssignmentMetrics
    ) {
        self.configuration = configuration
        self.usesGate = usesGate
        self.batchLimit = batchLimit
        self.logger = logger
        self.metrics = metrics
        queue = JobQueue(limit: queueLimit)
        startThread { self.runLane() }
    }

    /// Carries out a command in one of the next transactions.
    ///
    /// - Throws: ``CRMError``; any other error is a defect.
    func carryOut(_ command: AssignmentCommand, deadline: ContinuousClock.Instant) async throws -> AssignmentOutcome {
        try await withCheckedThrowingContinuation { continuation in
            let job = Job(command: command, deadline: deadline, reply: Reply(continuation))
            do throws(PostgresError) {
                try queue.add(job, deadline: deadline)
            } catch {
                job.reply(.failure(CRMError(error)))
            }
        }
    }

    /// Lets in who waits at these sources, in one of the next transactions and those that follow it.
    func admitWaiting(at sources: [SourceID]) {
        let job = admission(at: sources)
        // A full queue is busy with commands, which let in too.
        try? queue.add(job, deadline: job.deadline)
    }

    var waitingCommands: Int { queue.count }

    /// Answers the commands whose deadline has passed. To be called every few milliseconds.
    func expire(now: ContinuousClock.Instant = .now) {
        let obstacle = inFlight.withLock { inFlight in
            let obstacle = inFlight.obstacle
            let answer = inFlight.progress.mayHaveCommitted ? CRMError.unavailable(.outcomeUnknown) : obstacle
            inFlight.current.removeAll { $0.expire(at: now, with: answer) }
            for index in inFlight.later.indices {
                inFlight.later[index].removeAll { $0.expire(at: now, with: obstacle) }
            }
            return obstacle
        }
        for job in queue.removeExpired(now: now) { job.reply(.failure(obstacle)) }
    }

    /// Ends the lane once what waits is done.
    func close() { queue.close() }

    // MARK: - The lane's thread

    private func runLane() {
        var connection: Connection?
        while let isWhole = takeBatch() { carryOutCurrent(on: &connection, mayGrow: isWhole) }
    }

    /// Whether the batch comes from the queue, not from one that was split; `nil` when the lane is closed.
    private func takeBatch() -> Bool? {
        let (rest, backlog, isBacklogNext) = inFlight.withLock {
            ($0.later.popLast(), $0.backlog, $0.isBacklogNext)
        }
        var jobs = rest ?? []
        if rest == nil {
            if backlog.isEmpty {
                jobs = queue.take { fitting($0, into: Batch()) }
            } else if !isBacklogNext {
                jobs = queue.takeWaiting { fitting($0, into: Batch()) }
            }
            if jobs.isEmpty, !backlog.isEmpty {
                jobs = [admission(at: backlog.sorted())]
            }
        }
        inFlight.withLock {
            $0.current = jobs
            $0.progress = BatchProgress(isDatabaseAway: $0.progress.isDatabaseAway)
            $0.isBacklogNext = !isBacklogNext
        }
        return rest != nil ? false : jobs.isEmpty ? nil : true
    }

    /// A job that nobody waits for. If it cannot be done at once, the sweep finds it again: commands must not wait for it.
    private func admission(at sources: [SourceID]) -> Job {
        Job(command: .admitWaiting(sources), deadline: .now + .seconds(1), reply: Reply(nil))
    }

    /// How many of the commands that wait fit into a batch, from the first on.
    private func fitting(
        _ waiting: ArraySlice<(job: Job, deadline: ContinuousClock.Instant)>, into batch: Batch
    ) -> Int {
        var batch = batch
        return waiting.prefix { batch.commands.count < batchLimit && batch.add($0.job.command) }.count
    }

    /// Adds what came while the batch waited at the gate: the busier the instances, the larger their batches.
    private func grow() {
        let batch = Batch(inFlight.withLock { $0.current.map(\.command) })
        let more = queue.takeWaiting { fitting($0, into: batch) }
        inFlight.withLock { $0.current += more }
    }

    private func carryOutCurrent(on connection: inout Connection?, mayGrow: Bool) {
        var transaction = AssignmentTransaction(usesGate: usesGate)
        /// Of the attempts that may have committed.
        var decided: [Int32: (jobs: [Job], decision: Decision)] = [:]
        while true {
            var jobs = inFlight.withLock(\.current)
            guard let deadline = jobs.map(\.deadline).max() else { return }
            let (attempt, isUncertain) = inFlight.withLock {
                let isUncertain = $0.progress.mayHaveCommitted
                $0.progress.beginAttempt()
                return ($0.progress.attempt, isUncertain)
            }
            let start = ContinuousClock.now
            do {
                try connect(&connection, deadline: deadline)
                if isUncertain, let committed = try transaction.committedAttempt(on: &connection!) {
                    return finish(decided[committed]!.jobs, decided[committed]!.decision)
                }
                let opening = try transaction.begin(on: &connection!, timeLimit: deadline - .now)
                if mayGrow, attempt == 1 { grow() }
                jobs = inFlight.withLock(\.current)
                transaction.batch = Batch(jobs.map(\.command))
                let (decision, writes) = try transaction.decide(on: &connection!, after: opening)
                guard decision.answers.count == jobs.count else {
                    throw PostgresError.decoding("\(decision.answers.count) answers to \(jobs.count) commands")
                }
                guard let writes else {
                    try connection!.rollBack()
                    return finish(jobs, decision)
                }
                guard let lockLimit = beginCommit(of: jobs) else {
                    try connection!.rollBack()
                    continue
                }
                decided[attempt] = (jobs, decision)
                let secondFlight = ContinuousClock.now
                try transaction.commit(writes, lockLimit: lockLimit, attempt: attempt, on: &connection!)
                metrics.record(
                    batchSize: jobs.count, admitted: decision.changes.admitted, start: start,
                    secondFlight: secondFlight)
                return finish(jobs, decision)
            } catch {
                recover(&connection)
                switch next(after: error, size: jobs.count) {
                case .retry(let longest): usleep(UInt32.random(in: 0...UInt32(longest / .microseconds(1))))
                case .split: return split(after: error)
                case .refuse: return refuse(jobs, after: error)
                case .giveUp: return fail(jobs, with: CRMError.unavailable(.outcomeUnknown))
                }
            }
        }
    }

    /// Marks the current batch as one that may commit, unless one of its jobs was told that nothing changed. Who has
    /// next to no time left is told so now: later the answer could only be that the outcome is unknown.
    ///
    /// - Returns: How long each statement may wait for a locked row without one of the jobs getting into that situation.
    private func beginCommit(of jobs: [Job]) -> Duration? {
        let now = ContinuousClock.now
        let margin = Duration.milliseconds(50)
        return inFlight.withLock { inFlight in
            let answer = inFlight.obstacle
            inFlight.current.removeAll { $0.expire(at: now + margin, with: answer) }
            guard let first = inFlight.current.map(\.deadline).min(), inFlight.current.count == jobs.count
            else { return nil }
            inFlight.progress.beginCommit()
            // Five statements of the second flight may meet a locked row, one after another.
            return min(.milliseconds(100), (first - margin - now) / 5)
        }
    }

    private func connect(_ connection: inout Connection?, deadline: ContinuousClock.Instant) throws {
        if connection?.isIdle != true {
            connection = nil
            connection = try Connection(configuration)
        }
        // PostgreSQL keeps to the deadline by itself; this is for one that no longer answers.
        connection!.deadline = deadline + .milliseconds(500)
        inFlight.withLock { $0.progress.connect() }
    }

    /// Rolls back; a connection that is not fit for the next transaction then is discarded.
    private func recover(_ connection: inout Connection?) {
        connection?.deadline = .now + .seconds(1)
        if (try? connection?.rollBack()) == nil || connection?.isIdle != true { connection = nil }
    }

    private func next(after error: any Error, size: Int) -> BatchProgress.Next {
        let (next, attempt, isDatabaseAway) = inFlight.withLock {
            ($0.progress.fail(with: error, size: size), $0.progress.attempt, $0.progress.isDatabaseAway)
        }
        if case .retry = next, let error = error as? PostgresError {
            metrics.countRetry(after: error)
            logger.log(
                level: isDatabaseAway ? .warning : .debug, "trying again: \(error.details)",
                metadata: ["attempt": "\(attempt)"])
        }
        return next
    }

    private func split(after error: any Error) {
        inFlight.withLock { inFlight in
            let half = inFlight.current.count / 2
            inFlight.later.append(Array(inFlight.current[half...]))
            inFlight.later.append(Array(inFlight.current[..<half]))
            inFlight.current = []
        }
        logger.warning("batch refused, splitting it: \(describe(error))")
    }

    private func refuse(_ jobs: [Job], after error: any Error) {
        logger.error("command refused: \(describe(error))")
        fail(jobs, with: CRMError(refusal: error) ?? error)
    }

    private func describe(_ error: any Error) -> String { (error as? PostgresError)?.details ?? "\(error)" }

    private func fail(_ jobs: [Job], with error: any Error) {
        update(backlog: [], after: jobs)
        for job in jobs { job.reply(.failure(error)) }
    }

    private func finish(_ jobs: [Job], _ decision: Decision) {
        update(backlog: decision.backlog, after: jobs)
        for (job, answer) in zip(jobs, decision.answers) { job.reply(answer.mapError { $0 }) }
    }

    private func update(backlog: Set<SourceID>, after jobs: [Job]) {
        inFlight.withLock { inFlight in
            for case .admitWaiting(let sources) in jobs.map(\.command) { inFlight.backlog.subtract(sources) }
            inFlight.backlog.formUnion(backlog)
        }
    }
}
