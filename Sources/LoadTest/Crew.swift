import Histogram
import NIOCore
import NIOPosix

/// The workers of a run: one event loop for every two processors, since the service may need the others.
struct Crew: Sendable {
    private let workers: [NIOLoopBound<Worker>]
    private let tallies: [EventLoopFuture<Tally>]

    /// Opens all connections; they send as soon as they are open.
    init(_ options: Options, _ fixture: Fixture, _ period: Worker.Period) async throws {
        let urls = (0..<options.connections).map { options.urls[$0 % options.urls.count] }
        let count = min(options.connections, max(1, System.coreCount / 2))
        var workers: [NIOLoopBound<Worker>] = []
        var tallies: [EventLoopFuture<Tally>] = []
        for number in 0..<count {
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let (worker, tally) = try await loop.submit {
                let worker = Worker(
                    // Neighbours, so that each loop has connections to all instances.
                    urls.indices.filter { $0 * count / urls.count == number }.map { urls[$0] },
                    traffic: Traffic(
                        sources: fixture.sources.map(\.id), options, firstNumber: Int64(number) * 1_000_000_000_000,
                        seed: options.seed &+ UInt64(number)),
                    schedule: options.rate.map { rate in
                        // The loops take turns.
                        let offset = Double(number) * 1e9 / rate
                        return Schedule(
                            start: period.start.uptimeNanoseconds + UInt64(offset), rate: rate / Double(count))
                    },
                    prefix: "+\(fixture.run)\(1000 + number)", period: period, on: loop)
                return (NIOLoopBound(worker, eventLoop: loop), worker.start())
            }.get()
            workers.append(worker)
            tallies.append(tally)
        }
        self.workers = workers
        self.tallies = tallies
    }

    /// The latencies since the last call, and all errors.
    func takeInterval() async -> Interval {
        await ask { $0.takeInterval() }.reduce(into: Interval()) { sum, part in
            sum.latencies.add(part.latencies)
            sum.errors += part.errors
        }
    }

    /// The number of contacts that were acknowledged as registered and not as closed.
    func openContacts() async -> Int { await ask(\.openContacts).reduce(0, +) }

    /// Sends no more requests, and waits until those under way are answered or given up.
    func finish() async throws -> Tally {
        await ask { $0.stop() }
        var sum = Tally()
        for tally in tallies { sum.add(try await tally.get()) }
        return sum
    }

    @discardableResult
    private func ask<Answer: Sendable>(_ question: @escaping @Sendable (Worker) -> Answer) async -> [Answer] {
        var answers: [Answer] = []
        for worker in workers {
            // A question itself cannot fail, nor does the loop ever end.
            if let answer = try? await worker.eventLoop.submit({ question(worker.value) }).get() {
                answers.append(answer)
            }
        }
        return answers
    }
}
