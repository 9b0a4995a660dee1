import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A bounded queue between async callers and the threads that own connections. First come, first served.
public final class JobQueue<Job: Sendable>: Sendable {
    private struct State {
        /// Jobs in order, from `first` on: taken ones stay until half of the array is theirs.
        var jobs: [(job: Job, deadline: ContinuousClock.Instant)] = []
        var first = 0
        var sleepers = 0
        var isClosed = false

        var count: Int { jobs.count - first }

        mutating func take(_ wanted: Int) -> [Job] {
            let taken = jobs[first..<(first + wanted)].map(\.job)
            first += wanted
            if first * 2 >= jobs.count {
                jobs.removeFirst(first)
                first = 0
            }
            return taken
        }
    }

    private let state = Mutex(State())
    private let wakeUp = DispatchSemaphore(value: 0)
    public let limit: Int

    /// - Parameter limit: The most jobs that may wait.
    public init(limit: Int) { self.limit = limit }

    /// How many jobs wait now.
    public var count: Int { state.withLock(\.count) }

    /// Adds a job at the end.
    ///
    /// - Throws: ``PostgresError/queueFull``, or ``PostgresError/closed`` after ``close()``.
    public func add(_ job: Job, deadline: ContinuousClock.Instant) throws(PostgresError) {
        let isSomeoneAsleep = try state.withLock { state throws(PostgresError) in
            guard !state.isClosed else { throw .closed }
            guard state.count < limit else { throw .queueFull }
            state.jobs.append((job, deadline))
            guard state.sleepers > 0 else { return false }
            state.sleepers -= 1
            return true
        }
        if isSomeoneAsleep { wakeUp.signal() }
    }

    /// Takes jobs from the front; blocks the thread while there are none.
    ///
    /// - Parameters:
    ///   - end: When to stop waiting; `nil`: never.
    ///   - choose: From those that wait, in order, how many to take, at least 1.
    /// - Returns: Empty once the queue is closed and drained, and when `end` comes.
    public func take(
        until end: ContinuousClock.Instant? = nil,
        _ choose: (_ waiting: ArraySlice<(job: Job, deadline: ContinuousClock.Instant)>) -> Int
    ) -> [Job] {
        while true {
            let taken: [Job]? = state.withLock { state in
                if state.count > 0 { return state.take(choose(state.jobs[state.first...])) }
                if state.isClosed { return [] }
                state.sleepers += 1
                return nil
            }
            if let taken { return taken }
            guard let end else {
                wakeUp.wait()
                continue
            }
            let left = DispatchTimeInterval.nanoseconds(max(0, Int((end - .now) / .nanoseconds(1))))
            guard wakeUp.wait(timeout: .now() + left) == .timedOut else { continue }
            let isAsleep = state.withLock { state in
                guard state.sleepers > 0 else { return false }
                state.sleepers -= 1
                return true
            }
            if isAsleep { return [] }
            // Somebody has counted this thread as woken up.
            wakeUp.wait()
        }
    }

    /// Takes jobs from the front, without waiting for any.
    ///
    /// - Parameter choose: From those that wait, in order, how many to take.
    public func takeWaiting(
        _ choose: (_ waiting: ArraySlice<(job: Job, deadline: ContinuousClock.Instant)>) -> Int
    ) -> [Job] {
        state.withLock { state in state.take(choose(state.jobs[state.first...])) }
    }

    /// Removes the jobs whose deadline has passed.
    public func removeExpired(now: ContinuousClock.Instant) -> [Job] {
        state.withLock { state in
            let waiting = state.jobs[state.first...]
            guard waiting.contains(where: { $0.deadline <= now }) else { return [] }
            let expired = waiting.filter { $0.deadline <= now }.map(\.job)
            state.jobs = waiting.filter { $0.deadline > now }
            state.first = 0
            return expired
        }
    }

    /// Lets nothing more in; those who take get what is left.
    public func close() {
        let sleepers = state.withLock { state in
            state.isClosed = true
            defer { state.sleepers = 0 }
            return state.sleepers
        }
        for _ in 0..<sleepers { wakeUp.signal() }
    }
}

/// The answer to one job, given once: whoever is first, the thread that did the job or the watch over deadlines.
public final class Reply<Value: Sendable>: Sendable {
    private let complete: Mutex<(@Sendable (Result<Value, any Error>) -> Void)?>

    /// - Parameter complete: Called on the thread that answers, so it must be quick; `nil`: nobody waits for the answer.
    public init(_ complete: (@Sendable (Result<Value, any Error>) -> Void)?) { self.complete = Mutex(complete) }

    public func callAsFunction(_ result: Result<Value, any Error>) {
        let first = complete.withLock { complete in
            defer { complete = nil }
            return complete
        }
        first?(result)
    }
}

/// Starts a thread that is never joined.
public func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Start {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
    func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
    }
    let start = Unmanaged.passRetained(Start(body: body)).toOpaque()
    #if canImport(Darwin)
        var thread: pthread_t?
        let status = pthread_create(&thread, nil, { run($0) }, start)
    #else
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, { run($0) }, start)
    #endif
    precondition(status == 0, "pthread_create: \(status)")
}
