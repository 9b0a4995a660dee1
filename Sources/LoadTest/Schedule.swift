/// The times when the requests of an open loop are due: at a constant rate, whatever becomes of those before.
///
/// Times are nanoseconds of a clock that only goes forward.
struct Schedule: Sendable {
    private let start: UInt64
    /// Nanoseconds between two requests.
    private let interval: Double
    private var taken = 0

    /// - Parameters:
    ///   - start: When the first request is due.
    ///   - rate: Requests a second.
    init(start: UInt64, rate: Double) {
        self.start = start
        interval = 1e9 / rate
    }

    /// When the first request that nobody took is due.
    var next: UInt64 { start + UInt64(Double(taken) * interval) }

    /// Takes the next request if it is due.
    ///
    /// - Returns: When it was due: latency counts from there.
    mutating func take(at now: UInt64) -> UInt64? {
        let due = next
        guard due <= now else { return nil }
        taken += 1
        return due
    }

    /// The number of requests that were due before a time and not taken.
    func untaken(before end: UInt64) -> Int {
        guard end > start else { return 0 }
        return max(0, Int((Double(end - start) / interval).rounded(.up)) - taken)
    }
}
