import Assignment
import Dispatch
public import Logging
public import Metrics
public import Model
public import Postgres
public import ServiceLifecycle
import Store
import Synchronization

/// Gets the result of an operation, once, on a thread that must not be kept.
public typealias Completion<Value> = @Sendable (Result<Value, any Error>) -> Void

/// The service's operations, each in one transaction on PostgreSQL. Holds no state of its own: any number of
/// instances may work on one database.
///
/// Every operation throws ``CRMError`` for what a caller can be told; any other error is a defect. Those that change a load
/// go through the lane and call back, as a task for each would cost more than the rest of it.
public final class CRM: Service {
    public struct Configuration: Sendable {
        public var connection: ConnectionConfiguration
        /// The most connections for reads. There are two more, for the lane and for writes that change no load.
        public var poolSize = 4
        /// How long a request may take.
        public var requestTimeout = Duration.seconds(10)
        /// The most requests that may wait for the lane, and again for the pool.
        public var queueLimit = 4096
        /// The most commands in one transaction.
        public var batchLimit = 256
        /// How long contacts may wait beside room that no command made: psql did, or an instance that died half way.
        public var sweepInterval = Duration.seconds(5)
        /// How long the answers to requests with an `Idempotency-Key` are kept.
        public var idempotencyTime = Duration.seconds(24 * 60 * 60)
        /// How long it is kept how contacts were assigned.
        public var explanationTime = Duration.seconds(30 * 24 * 60 * 60)
        /// Whether keys are asked for, so that they must be known.
        public var watchesKeys = false
        /// Whether instances queue before their snapshot is taken. An optimisation, not the guarantee.
        public var usesGate = true
        /// How long the gate is waited for before whoever stands still behind it is thrown out.
        public var gatePatience = Duration.seconds(1)

        public init(connection: ConnectionConfiguration) { self.connection = connection }
    }

    private let configuration: Configuration
    private let pool: ConnectionPool
    /// For writes that change no load: one that waits for a lock or a standby keeps no read waiting.
    private let writePool: ConnectionPool
    /// For keys.
    let keyPool: ConnectionPool
    private let dispatcher: Dispatcher
    private let metrics: AssignmentMetrics
    let logger: Logger
    let keyState = KeyState()
    /// For what takes long to compute: one at a time, and no thread that others wait for.
    private let thinking = DispatchQueue(label: "thinking", qos: .utility)
    private let isDraining = Atomic(false)

    /// Starts the threads. Nothing is connected before the first operation.
    ///
    /// - Parameter metrics: Where the lane's transactions are counted and timed.
    public init(
        _ configuration: Configuration, logger: Logger, metrics: any MetricsFactory = MetricsSystem.factory
    ) {
        self.configuration = configuration
        self.logger = logger
        self.metrics = AssignmentMetrics(metrics)
        pool = ConnectionPool(
            configuration.connection, size: configuration.poolSize, queueLimit: configuration.queueLimit)
        writePool = ConnectionPool(configuration.connection, size: 1, queueLimit: configuration.queueLimit)
        keyPool = ConnectionPool(configuration.connection, size: 1, queueLimit: configuration.queueLimit)
        dispatcher = Dispatcher(configuration, logger: logger, metrics: self.metrics)
    }

    /// Watches over deadlines and does what is due of maintenance until the service group shuts down, then ends the
    /// threads. Nothing waits any more then, unless the group has lost patience and cancels: what waits is answered as if
    /// its deadline had come.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                let jobs: [MaintenanceJob] = [
                    .forgetBatches, .forgetAnswers(after: configuration.idempotencyTime),
                    .forgetDecisions(after: configuration.explanationTime), .rollUp,
                ]
                group.addTask { await Maintenance(crm: self, jobs: jobs, logger: self.logger).run() }
                if configuration.watchesKeys {
                    group.addTask {
                        while (try? await Task.sleep(for: KeyState.interval)) != nil { await self.watchKeys() }
                    }
                }
                group.addTask { await Sweep(crm: self, interval: self.configuration.sweepInterval).run() }
                while (try? await Task.sleep(for: .milliseconds(20))) != nil {
                    dispatcher.expire()
                    pool.expire()
                    writePool.expire()
                    keyPool.expire()
                }
            }
        }
        dispatcher.close()
        pool.close()
        writePool.close()
        keyPool.close()
        let end = ContinuousClock.now + configuration.requestTimeout
        dispatcher.expire(now: end)
        pool.expire(now: end)
        writePool.expire(now: end)
        keyPool.expire(now: end)
    }

    /// Returns if requests can be served: PostgreSQL can be written, its schema is up to date, and ``drain()`` was
    /// not called.
    ///
    /// - Throws: ``CRMError/unavailable(_:)``, within two seconds.
    public func checkReadiness() async throws {
        guard !isDraining.load(ordering: .relaxed) else { throw CRMError.unavailable(.shuttingDown) }
        let (isWritable, isMigrated) = try await run(Readiness(), within: .seconds(2))
        guard isWritable else { throw CRMError.unavailable(.readOnly) }
        guard isMigrated else { throw CRMError.unavailable(.migrationsPending) }
    }

    /// Makes ``checkReadiness()`` fail from now on, so that load balancers send nothing more.
    public func drain() { isDraining.store(true, ordering: .relaxed) }

    /// How many commands wait for the lane now.
    public var waitingCommands: Int { dispatcher.waitingCommands }

    /// How many commands wait for rows that somebody else keeps locked.
    public var parkedCommands: Int { dispatcher.parkedCommands }

    /// How many threads the pool has, how many of them are at work, and how many requests wait for one.
    public var poolUse: (size: Int, busy: Int, waiting: Int) {
        (configuration.poolSize, pool.busyThreads, pool.waitingJobs)
    }

    /// What the database says of loads and waiting contacts, for monitoring.
    ///
    /// - Parameter operatorLimit: The most operators to answer, the fullest first.
    /// - Throws: ``CRMError/unavailable(_:)``, within two seconds.
    public func workload(operatorLimit: Int) async throws -> Workload {
        try await run(FetchWorkload(operatorLimit: Int64(operatorLimit)), within: .seconds(2))
    }

    /// Whether instances queue before their snapshot is taken.
    var usesGate: Bool { configuration.usesGate }

    func run<T: Transaction>(_ transaction: T, within limit: Duration? = nil) async throws -> T.Output {
        do {
            let pool = transaction.isRepeatable ? pool : writePool
            return try await pool.run(transaction, deadline: .now + (limit ?? configuration.requestTimeout))
        } catch let error as PostgresError {
            throw CRMError(error) ?? error
        }
    }

    /// - Parameter value: What the outcome is for the caller.
    func carryOut<Value>(
        _ command: AssignmentCommand, _ idempotency: Idempotency<Value>? = nil,
        by deadline: ContinuousClock.Instant? = nil, as value: @escaping @Sendable (AssignmentOutcome) -> Value,
        completion: @escaping Completion<Answered<Value>>
    ) {
        dispatcher.carryOut(job(command, idempotency, by: deadline, as: value, completion: completion))
    }

    /// Carries out commands in their order, all or, if too many wait, none.
    ///
    /// - Parameter completion: Called for each, with its index.
    /// - Throws: ``CRMError/unavailable(_:)``.
    func carryOut<Value>(
        _ commands: [(AssignmentCommand, Idempotency<Value>?)],
        as value: @escaping @Sendable (AssignmentOutcome) -> Value,
        completion: @escaping @Sendable (Int, Result<Answered<Value>, any Error>) -> Void
    ) throws(CRMError) {
        try dispatcher.carryOut(
            commands.enumerated().map { index, command in
                job(command.0, command.1, as: value) { completion(index, $0) }
            })
    }

    private func job<Value>(
        _ command: AssignmentCommand, _ idempotency: Idempotency<Value>?, by deadline: ContinuousClock.Instant? = nil,
        as value: @escaping @Sendable (AssignmentOutcome) -> Value, completion: @escaping Completion<Answered<Value>>
    ) -> LaneJob {
        let metrics = metrics
        let request = AssignmentRequest(
            command, idempotency.map { idempotency in Idempotency(idempotency.key) { idempotency.answer(value($0)) } })
        let reply = Reply<AssignmentOutcome> { result in
            metrics.count(result, of: command)
            completion(
                result.map { outcome in
                    if case .kept(let answer, let first) = outcome { return .kept(answer, isReplay: first == nil) }
                    return .fresh(value(outcome))
                })
        }
        return LaneJob(request: request, deadline: deadline ?? self.deadline, reply: reply)
    }

    /// Runs a write that changes no load, and answers one row.
    func run<Value>(_ write: Fetch<Value>, _ idempotency: Idempotency<Value>?) async throws -> Answered<Value> {
        guard let idempotency else { return .fresh(try await run(write)[0]) }
        let end = deadline
        while true {
            do {
                return try await run(KeyedWrite(write, idempotency), within: end - .now)
            } catch CRMError.idempotencyInFlight where end > .now {
                // The first one may still end. Others have their turn meanwhile.
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    /// Computes what takes long.
    ///
    /// - Throws: ``CRMError/Unavailable/deadline`` if others take too long before.
    func think<Value: Sendable>(
        by deadline: ContinuousClock.Instant, _ compute: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            thinking.async {
                continuation.resume(
                    with: Result {
                        guard deadline > .now else { throw CRMError.unavailable(.deadline) }
                        return try compute()
                    })
            }
        }
    }

    /// When a request that comes now must be answered.
    var deadline: ContinuousClock.Instant { .now + configuration.requestTimeout }

    /// Lets in who waits at these sources, if there is room; nobody waits for it.
    func admitWaiting(at sources: [SourceID]) { dispatcher.admitWaiting(at: sources) }

    /// Answers a command that changes nothing by what is stored.
    func complete<Value>(
        _ completion: @escaping Completion<Answered<Value>>, _ read: @escaping @Sendable () async throws -> Value
    ) {
        Task {
            let result: Result<Answered<Value>, any Error>
            do { result = .success(.fresh(try await read())) } catch { result = .failure(error) }
            completion(result)
        }
    }
}

extension AssignmentOutcome {
    var contact: ContactDetails { if case .contact(let contact) = self { contact } else { wrong() } }
    var `operator`: Operator { if case .operator(let `operator`) = self { `operator` } else { wrong() } }
    var release: Release { if case .released(let release) = self { release } else { wrong() } }
    var weights: [OperatorSourceWeight] { if case .weights(let weights) = self { weights } else { wrong() } }

    private func wrong() -> Never { preconditionFailure("a command has the outcome of another") }
}
