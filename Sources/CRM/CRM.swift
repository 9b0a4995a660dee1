import Assignment
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
    private let dispatcher: Dispatcher
    private let metrics: AssignmentMetrics
    private let logger: Logger
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
        dispatcher = Dispatcher(configuration, logger: logger, metrics: self.metrics)
    }

    /// Watches over deadlines and does what is due of maintenance until the service group shuts down, then ends the
    /// threads. Nothing waits any more then, unless the group has lost patience and cancels: what waits is answered as if
    /// its deadline had come.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                group.addTask { await Maintenance(crm: self, logger: self.logger).run() }
                group.addTask { await Sweep(crm: self, interval: self.configuration.sweepInterval).run() }
                while (try? await Task.sleep(for: .milliseconds(20))) != nil {
                    dispatcher.expire()
                    pool.expire()
                    writePool.expire()
                }
            }
        }
        dispatcher.close()
        pool.close()
        writePool.close()
        let end = ContinuousClock.now + configuration.requestTimeout
        dispatcher.expire(now: end)
        pool.expire(now: end)
        writePool.expire(now: end)
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

    func carryOut(_ command: AssignmentCommand, completion: @escaping Completion<AssignmentOutcome>) {
        let metrics = metrics
        dispatcher.carryOut(command, deadline: .now + configuration.requestTimeout) { result in
            metrics.count(result, of: command)
            completion(result)
        }
    }

    /// Lets in who waits at these sources, if there is room; nobody waits for it.
    func admitWaiting(at sources: [SourceID]) { dispatcher.admitWaiting(at: sources) }

    /// Answers a command that changes nothing by what is stored.
    func complete<Value>(
        _ completion: @escaping Completion<Value>, _ read: @escaping @Sendable () async throws -> Value
    ) {
        Task {
            let result: Result<Value, any Error>
            do { result = .success(try await read()) } catch { result = .failure(error) }
            completion(result)
        }
    }
}

extension AssignmentOutcome {
    var contact: ContactDetails { if case .contact(let contact) = self { contact } else { wrong() } }
    var `operator`: Operator { if case .operator(let `operator`) = self { `operator` } else { wrong() } }
    var weights: [OperatorSourceWeight] { if case .weights(let weights) = self { weights } else { wrong() } }

    private func wrong() -> Never { preconditionFailure("a command has the outcome of another") }
}
