import Distribution
import Logging
import Postgres
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
/// Failure: a conflict runs the whole transaction again; a batch that the database refuses is split until the
/// culprit stands alone; after a lost COMMIT the batch's id tells what became of it. Each command is answered once,
/// at its deadline at the latest, and is told "changed nothing" only if nothing can still change.
final class Dispatcher: Sendable {
    private struct Job: Sendable {
        let command: Command
        let deadline: ContinuousClock.Instant
        let reply: Reply<Outcome>

        func expire(at now: ContinuousClock.Instant, with error: CRMError) -> Bool {
            guard deadline <= now else { return false }
            reply(.failure(error))
            return true
        }
    }

    /// What the lane has taken from the queue and not answered.
    private struct InFlight {
        var current: [Job] = []
        /// Whether the transaction of `current` may be durable, or become so.
        var mayCommit = false
        /// Parts of a batch that was split.
        var later: [[Job]] = []
        /// Sources at which contacts wait for another transaction to let them in.
        var backlog: Set<SourceID> = []
        /// Whether those come next, not the commands that queue: they take turns.
        var isBacklogNext = false
        var obstacle = CRMError.Unavailable.deadline
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
    func carryOut(_ command: Command, deadline: ContinuousClock.Instant) async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            let job = Job(command: command, deadline: deadline, reply: Reply(continuation))
            do throws(PostgresError) {
                try queue.add(job, deadline: deadline)
            } catch {
                job.reply(.failure(CRMError(error)))
            }
        }
    }

    var waitingCommands: Int { queue.count }

    /// Answers the commands whose deadline has passed. To be called every few milliseconds.
    func expire(now: ContinuousClock.Instant = .now) {
        let obstacle = inFlight.withLock { inFlight in
            let answer = CRMError.unavailable(inFlight.mayCommit ? .outcomeUnknown : inFlight.obstacle)
            inFlight.current.removeAll { $0.expire(at: now, with: answer) }
            for index in inFlight.later.indices {
                inFlight.later[index].removeAll { $0.expire(at: now, with: .unavailable(inFlight.obstacle)) }
            }
            return inFlight.obstacle
        }
        for job in queue.removeExpired(now: now) { job.reply(.failure(CRMError.unavailable(obstacle))) }
    }

    /// Ends the lane once what waits is done.
    func close() { queue.close() }

    // MARK: - The lane's thread

    private func runLane() {
        var connection: Connection?
        var batches = 0
        while let isWhole = takeBatch() {
            carryOutCurrent(on: &connection, mayGrow: isWhole)
            batches += 1
            if batches % 1000 == 0 { _ = try? connection?.run(AssignmentStatements.forgetBatches()) }
        }
    }

    /// Whether the batch comes from the queue, not from one that was split; `nil` when the lane is closed.
    private func takeBatch() -> Bool? {
        let (rest, backlog, isBacklogNext) = inFlight.withLock {
            ($0.later.popLast(), $0.backlog, $0.isBacklogNext)
        }
        var jobs = rest ?? []
        if rest == nil {
            func size(_ waiting: ArraySlice<(job: Job, deadline: ContinuousClock.Instant)>) -> Int {
                batchSize(waiting.lazy.map(\.job.command))
            }
            if backlog.isEmpty { jobs = queue.take(size) } else if !isBacklogNext { jobs = queue.takeWaiting(size) }
            if jobs.isEmpty, !backlog.isEmpty {
                let command = Command.admitWaiting(backlog.sorted())
                jobs = [Job(command: command, deadline: .now + .seconds(10), reply: Reply(nil))]
            }
        }
        inFlight.withLock {
            $0.current = jobs
            $0.mayCommit = false
            $0.isBacklogNext = !isBacklogNext
        }
        return rest != nil ? false : jobs.isEmpty ? nil : true
    }

    /// Adds what came while the batch waited at the gate: the busier the instances, the larger their batches.
    private func grow() {
        let current = inFlight.withLock { $0.current.map(\.command) }
        let more = queue.takeWaiting { waiting in
            batchSize(current + waiting.prefix(batchLimit).map(\.job.command)) - current.count
        }
        inFlight.withLock { $0.current += more }
    }

    /// The first commands that fit into one transaction: none names a contact that another one names, and a change of
    /// operators or shares goes alone.
    private func batchSize(_ commands: some Sequence<Command>) -> Int {
        var named: Set<Int64> = []
        var size = 0
        for command in commands.prefix(batchLimit) {
            switch command {
            case .register, .admitWaiting: break
            case .updateContact(let id, _): guard named.insert(id.rawValue).inserted else { return size }
            case .updateOperator, .setDistribution: return max(size, 1)
            }
            size += 1
        }
        return size
    }

    private func carryOutCurrent(on connection: inout Connection?, mayGrow: Bool) {
        var jobs = inFlight.withLock(\.current)
        var transaction = AssignmentTransaction([], usesGate: usesGate)
        /// The attempts that may have committed.
        var unknown: [Int32: (jobs: [Job], plan: AssignmentTransaction.Plan)] = [:]
        var attempt: Int32 = 0
        var duplicates = 0
        while true {
            jobs = inFlight.withLock(\.current)
            guard let deadline = jobs.map(\.deadline).max() else { return }
            attempt += 1
            let start = ContinuousClock.now
            do {
                try connect(&connection, deadline: deadline)
                if !unknown.isEmpty, let committed = try transaction.committedAttempt(on: &connection!) {
                    return finish(unknown[committed]!.jobs, unknown[committed]!.plan)
                }
                let opening = try transaction.begin(on: &connection!, timeLimit: deadline - .now)
                if mayGrow, attempt == 1 { grow() }
                jobs = inFlight.withLock(\.current)
                transaction.commands = jobs.map(\.command)
                let plan = try transaction.plan(on: &connection!, after: opening)
                guard let writes = plan.writes else {
                    try connection!.rollBack()
                    return finish(jobs, plan)
                }
                guard let lockLimit = beginCommit(of: jobs) else {
                    try connection!.rollBack()
                    continue
                }
                unknown[attempt] = (jobs, plan)
                let secondFlight = ContinuousClock.now
                try transaction.commit(writes, lockLimit: lockLimit, attempt: attempt, on: &connection!)
                metrics.record(batchSize: jobs.count, admitted: plan.admitted, start: start, secondFlight: secondFlight)
                return finish(jobs, plan)
            } catch {
                if case .commitOutcomeUnknown? = error as? PostgresError {} else { unknown[attempt] = nil }
                recover(&connection)
                inFlight.withLock { $0.mayCommit = !unknown.isEmpty }
                if error.isDuplicateLead { duplicates += 1 }
                if duplicates < 2, pauseBeforeRetry(after: error, attempt: attempt) { continue }
                // An earlier attempt that is still under way would make a second one under a new id count twice.
                guard unknown.isEmpty else { return fail(jobs, with: CRMError.unavailable(.outcomeUnknown)) }
                return split(jobs, after: error)
            }
        }
    }

    /// Marks the current batch as one that may commit, unless one of its jobs was told that nothing changed. Who has
    /// next to no time left is told so now: later the answer could only be that the outcome is unknown.
    ///
    /// - Returns: How long the batch may wait for locked rows without one of its jobs getting into that situation.
    private func beginCommit(of jobs: [Job]) -> Duration? {
        let now = ContinuousClock.now
        let margin = Duration.milliseconds(20)
        return inFlight.withLock { inFlight in
            let answer = CRMError.unavailable(inFlight.obstacle)
            inFlight.current.removeAll { $0.expire(at: now + margin, with: answer) }
            guard let first = inFlight.current.map(\.deadline).min(), inFlight.current.count == jobs.count
            else { return nil }
            inFlight.mayCommit = true
            return min(.milliseconds(100), first - margin - now)
        }
    }

    private func connect(_ connection: inout Connection?, deadline: ContinuousClock.Instant) throws {
        if connection?.isIdle != true {
            connection = nil
            connection = try Connection(configuration)
        }
        // PostgreSQL keeps to the deadline by itself; this is for one that no longer answers.
        connection!.deadline = deadline + .milliseconds(500)
        inFlight.withLock { $0.obstacle = .deadline }
    }

    /// Rolls back; a connection that is not fit for the next transaction then is discarded.
    private func recover(_ connection: inout Connection?) {
        connection?.deadline = .now + .seconds(1)
        if (try? connection?.rollBack()) == nil || connection?.isIdle != true { connection = nil }
    }

    /// Waits, with full jitter, if running the same batch again can help.
    private func pauseBeforeRetry(after error: any Error, attempt: Int32) -> Bool {
        let longest: Duration
        switch error as? PostgresError {
        case .server(let error) where error.isConflict || error.isDuplicateLead:
            logger.debug(
                "conflict, trying again", metadata: ["sqlstate": "\(error.sqlState)", "attempt": "\(attempt)"])
            longest = .milliseconds(min(1 << min(attempt, 7), 100))
        case .server(let error) where error.constraint == "assignment_batches_pkey" || error.isTimeout:
            longest = .milliseconds(10)
        case .server(let error) where !error.asksForReconnect:
            return false
        case .deadlineExceeded:
            longest = .zero
        case .connectionLost, .commitOutcomeUnknown, .server:
            logger.warning("\((error as! PostgresError).details)", metadata: ["attempt": "\(attempt)"])
            inFlight.withLock { $0.obstacle = .database }
            longest = .milliseconds(min(20 << min(attempt, 5), 500))
        default: return false
        }
        metrics.countRetry(after: error as! PostgresError)
        usleep(UInt32.random(in: 0...UInt32(longest / .microseconds(1))))
        return true
    }

    private func split(_ jobs: [Job], after error: any Error) {
        let details = (error as? PostgresError)?.details ?? "\(error)"
        if jobs.count == 1 {
            logger.error("command refused: \(details)")
            return fail(jobs, with: CRMError(refusal: error) ?? error)
        }
        logger.warning("batch of \(jobs.count) refused, splitting it: \(details)")
        inFlight.withLock { inFlight in
            let half = inFlight.current.count / 2
            inFlight.later.append(Array(inFlight.current[half...]))
            inFlight.later.append(Array(inFlight.current[..<half]))
            inFlight.current = []
        }
    }

    private func fail(_ jobs: [Job], with error: any Error) {
        update(backlog: [], after: jobs)
        for job in jobs { job.reply(.failure(error)) }
    }

    private func finish(_ jobs: [Job], _ plan: AssignmentTransaction.Plan) {
        update(backlog: plan.backlog, after: jobs)
        for (job, answer) in zip(jobs, plan.answers) { job.reply(answer.mapError { $0 }) }
    }

    private func update(backlog: Set<SourceID>, after jobs: [Job]) {
        inFlight.withLock { inFlight in
            for case .admitWaiting(let sources) in jobs.map(\.command) { inFlight.backlog.subtract(sources) }
            inFlight.backlog.formUnion(backlog)
        }
    }
}

extension ServerError {
    /// A lead's identifier is another one's. If that one was added meanwhile, the next attempt finds it; it happens
    /// twice to one batch only if the batch and PostgreSQL do not agree on what is equal, and then it is split.
    fileprivate var isDuplicateLead: Bool {
        [
            "leads_external_id_key", "leads_phone_key", "leads_email_key",
            // The lead was left out by `INSERT … ON CONFLICT DO NOTHING`.
            "contacts_lead_id_fkey",
        ].contains(constraint)
    }
}

extension Error {
    fileprivate var isDuplicateLead: Bool {
        if case .server(let error)? = self as? PostgresError { error.isDuplicateLead } else { false }
    }
}

extension CRMError {
    /// A fault of the connection as the service's clients see it.
    init(_ error: PostgresError) {
        switch error {
        case .queueFull: self = .unavailable(.queueFull)
        case .closed: self = .unavailable(.shuttingDown)
        case .deadlineExceeded: self = .unavailable(.deadline)
        case .commitOutcomeUnknown: self = .unavailable(.outcomeUnknown)
        case .connectionLost, .server, .decoding: self = .unavailable(.database)
        }
    }

    /// Classes 22 and 23 are about the data of the one command.
    fileprivate init?(refusal error: any Error) {
        guard case .server(let error)? = error as? PostgresError, ["22", "23"].contains(error.sqlState.prefix(2))
        else { return nil }
        self = .rejected
    }
}
