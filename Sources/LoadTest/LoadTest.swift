import Histogram
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Puts load on running instances, then checks whether they kept their promises.
///
/// It speaks HTTP as any client does and shares no code with the service, so that no error of the one hides in the
/// other.
public final class LoadTest: Sendable {
    private let options: Options
    private let console: Console
    private let api: API
    /// The task that lasts as long as the load; cancelled to end it early.
    private let clock = Mutex<Task<Void, Never>?>(nil)
    /// The number of contacts that waited for an operator at the last count.
    private let waiting = Mutex<Int?>(nil)

    public init(_ options: Options, console: Console) {
        self.options = options
        self.console = console
        api = API(urls: options.urls)
    }

    /// Creates operators and sources, puts load on them, and checks the result.
    ///
    /// - Returns: The outcome, which was printed, too.
    /// - Throws: When records cannot be created or read.
    public func run() async throws -> Outcome {
        console.show(
            progress: "creating \(counted(options.operators, "operator")) and \(counted(options.sources, "source"))")
        let fixture = try await Fixture.create(options, with: api)
        var (outcome, ledger) = try await load(fixture)
        console.print("\n\(outcome.table)\n")
        let total = counted(ledger.registered.count, "contact")
        let seen = try await Observation.make(of: fixture, ledger, with: api) {
            console.show(progress: "checking: \(grouped($0)) of \(total) listed")
        }
        outcome.checks = PromiseCheck.all(fixture, ledger, seen)
        console.print(outcome.checks.map(\.line).joined(separator: "\n"))
        if let waiting = seen.active[nil] {
            console.print("\nWaiting for an operator: \(counted(waiting, "contact")).")
        }
        return outcome
    }

    /// Ends the load, as if its time were over.
    ///
    /// - Returns: `false` if there is none: before it, after it, and when it was ended already.
    public func stop() -> Bool {
        clock.withLock { task in
            defer { task = nil }
            task?.cancel()
            return task != nil
        }
    }

    private func load(_ fixture: Fixture) async throws -> (Outcome, Ledger) {
        let start = NIODeadline.now()
        let measuredFrom = start + .nanoseconds(Int64(options.warmup * 1e9))
        let period = Worker.Period(
            start: start, measuredFrom: measuredFrom, end: measuredFrom + .nanoseconds(Int64(options.duration * 1e9)))
        let crew = try await Crew(options, fixture, period)
        let processorTime = Mutex(0.0)
        let task = Task {
            await withTaskGroup { group in
                group.addTask { await self.watch(fixture, crew) }
                await self.report(of: crew, since: start, until: measuredFrom)
                processorTime.withLock { $0 = Self.processorTime }
                await self.report(of: crew, since: start, until: period.end)
                group.cancelAll()
            }
        }
        clock.withLock { $0 = task }
        await task.value
        _ = stop()
        let seconds = max(0, Double((min(.now(), period.end) - measuredFrom).nanoseconds) / 1e9)
        let used = seconds > 0 ? Self.processorTime - processorTime.withLock(\.self) : 0
        console.show(progress: "waiting for the last answers")
        let tally = try await crew.finish()
        return (Outcome(options, tally, seconds: seconds, processorSeconds: used), tally.ledger)
    }

    /// Shows rate, latencies and errors each second, until the time has come or the task is cancelled.
    private func report(of crew: Crew, since start: NIODeadline, until end: NIODeadline) async {
        var last = NIODeadline.now()
        while last < end, !Task.isCancelled {
            let next = min(last + .seconds(1), end)
            guard (try? await Task.sleep(for: .nanoseconds((next - .now()).nanoseconds))) != nil else { return }
            let interval = await crew.takeInterval()
            let now = NIODeadline.now()
            let elapsed = Double((now - start).nanoseconds) / 1e9
            let rate = Double(interval.latencies.totalCount) * 1e9 / Double((now - last).nanoseconds)
            let quantile = { duration(microseconds: interval.latencies.valueAtPercentile($0)) }
            console.show(
                padded("\(Int(elapsed.rounded())) s", to: 6) + (elapsed <= options.warmup + 0.5 ? " warm-up" : "")
                    + padded(grouped(Int(rate)), to: 9) + "/s   p50 \(quantile(50))   p99 \(quantile(99))"
                    + "   errors \(grouped(interval.errors))"
                    + "   waiting \(waiting.withLock(\.self).map(grouped) ?? "-")")
            last = now
        }
    }

    /// Counts the contacts that wait for an operator, about each second, until the task is cancelled.
    ///
    /// A contact waits if it is active and on nobody's load. Requests under way make the number inexact; to list the
    /// contacts that wait would put a load of its own on the service.
    private func watch(_ fixture: Fixture, _ crew: Crew) async {
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            let open = await crew.openContacts()
            guard let operators = try? await fixture.operators(api) else { continue }
            waiting.withLock { $0 = max(0, open - operators.reduce(0) { $0 + $1.currentLoad }) }
        }
    }

    /// Seconds of processor that this program has used.
    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
