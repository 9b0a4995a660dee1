import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Work on a connection: synchronous, so that nothing awaits while a transaction is open.
public protocol Transaction: Sendable {
    associatedtype Output: Sendable
    /// Whether running it a second time does no harm. If not, a loss of its connection is
    /// ``PostgresError/commitOutcomeUnknown(_:)``.
    var isRepeatable: Bool { get }
    func run(on connection: inout Connection) throws -> Output
}

/// Threads that own a connection each and take jobs from one bounded queue. The queue is the pool.
public final class ConnectionPool: Sendable {
    private struct Job: Sendable {
        let deadline: ContinuousClock.Instant
        let isRepeatable: Bool
        let run: @Sendable (inout Worker) -> Void
        let fail: @Sendable (PostgresError) -> Void
    }

    private let queue: JobQueue<Job>
    /// What each thread is at.
    private let running: Mutex<[Int: Job]> = Mutex([:])
    /// How late a thread may be with its own answer. One that libpq keeps, connecting or resolving a name, is later.
    private static let grace = Duration.milliseconds(200)

    /// Starts the threads; each connects when its first job comes.
    ///
    /// - Parameters:
    ///   - size: The number of threads, and of connections at most.
    ///   - queueLimit: The most jobs that may wait for a thread.
    public init(_ configuration: ConnectionConfiguration, size: Int, queueLimit: Int) {
        let queue = JobQueue<Job>(limit: queueLimit)
        self.queue = queue
        for thread in 1...size {
            startThread { [self] in
                var worker = Worker(configuration: configuration)
                while let job = queue.take({ _ in 1 }).first {
                    running.withLock { $0[thread] = job }
                    job.run(&worker)
                    running.withLock { $0[thread] = nil }
                }
            }
        }
    }

    /// Runs a transaction on the next thread that is free.
    ///
    /// A repeatable one whose connection turns out to be broken is run once more on a new connection; any that lost
    /// against a concurrent one is run again.
    /// - Parameter deadline: When to give up, waiting for a thread or for PostgreSQL.
    /// - Throws: ``PostgresError``, or what the transaction throws.
    public func run<T: Transaction>(_ transaction: T, deadline: ContinuousClock.Instant) async throws -> T.Output {
        try await withCheckedThrowingContinuation { continuation in
            let reply = Reply<T.Output> { continuation.resume(with: $0) }
            let job = Job(
                deadline: deadline, isRepeatable: transaction.isRepeatable,
                run: { worker in reply(Result { try worker.run(transaction, deadline: deadline) }) },
                fail: { error in reply(.failure(error)) })
            do { try queue.add(job, deadline: deadline) } catch { reply(.failure(error)) }
        }
    }

    /// How many threads run a job now.
    public var busyThreads: Int { running.withLock(\.count) }

    /// How many jobs wait for a thread now.
    public var waitingJobs: Int { queue.count }

    /// Answers the jobs that waited past their deadline, and those that are under way well past it. To be called now and
    /// then.
    public func expire(now: ContinuousClock.Instant = .now) {
        for job in queue.removeExpired(now: now) { job.fail(.deadlineExceeded) }
        for job in running.withLock({ Array($0.values) }) where job.deadline + Self.grace <= now {
            job.fail(job.isRepeatable ? .deadlineExceeded : .commitOutcomeUnknown("no answer in time"))
        }
    }

    /// Ends the threads once what waits is done.
    public func close() { queue.close() }

    /// One thread's connection, opened again when it broke.
    private struct Worker: ~Copyable {
        let configuration: ConnectionConfiguration
        var connection: Connection?

        init(configuration: ConnectionConfiguration) { self.configuration = configuration }

        mutating func run<T: Transaction>(_ transaction: T, deadline: ContinuousClock.Instant) throws -> T.Output {
            var mayRepeat = transaction.isRepeatable
            while deadline > .now {
                do {
                    return try attempt(transaction, deadline: deadline)
                } catch PostgresError.connectionLost where mayRepeat && deadline > .now {
                    mayRepeat = false
                } catch PostgresError.server(let error) where error.kind == .conflict {
                    usleep(.random(in: 0...20_000))
                }
            }
            throw PostgresError.deadlineExceeded
        }

        private mutating func attempt<T: Transaction>(
            _ transaction: T, deadline: ContinuousClock.Instant
        ) throws -> T.Output {
            // Taken out of the property: it is put back only if it is fit for the next job.
            var connection = try take()
            // The client of a write is answered by then; its thread waits longer, or each write that waits for a standby would
            // leave a session behind.
            connection.deadline = transaction.isRepeatable ? deadline : deadline + .seconds(60)
            let result = Result { try transaction.run(on: &connection) }
            if case .failure = result { try? connection.rollBack() }
            var isFit = connection.isIdle
            if case .failure(PostgresError.server(let error)) = result, error.kind == .serverAway { isFit = false }
            if isFit { self.connection = consume connection }
            do {
                return try result.get()
            } catch PostgresError.connectionLost(let reason) where !transaction.isRepeatable {
                throw PostgresError.commitOutcomeUnknown(reason)
            } catch PostgresError.deadlineExceeded where !transaction.isRepeatable {
                throw PostgresError.commitOutcomeUnknown("no answer in time")
            }
        }

        private mutating func take() throws -> Connection {
            if let connection = self.connection.take(), connection.isIdle { return connection }
            return try Connection(configuration)
        }
    }
}
