import Synchronization

/// Lets each caller do so much in a second, and as much at once (a token bucket).
public final class RateLimiter<Caller: Hashable & Sendable>: Sendable {
    /// What is left to a caller.
    public struct Quota: Sendable, Equatable {
        /// How many a second.
        public let limit: Int32
        /// How many at once, now.
        public let remaining: Int32
        /// In how many whole seconds there is one again; 0 if there is.
        public let wait: Int
    }

    private struct Bucket {
        var tokens: Double
        var filledAt: ContinuousClock.Instant
    }

    private let buckets = Mutex<[Caller: Bucket]>([:])
    /// The most callers that are remembered: who is forgotten begins anew.
    private let capacity: Int

    var count: Int { buckets.withLock(\.count) }

    public init(capacity: Int = 10_000) { self.capacity = capacity }

    /// Takes one, if it is left.
    ///
    /// - Parameters:
    ///   - rate: How many a second.
    ///   - burst: How many at once.
    /// - Returns: What is left then, and whether one was taken.
    public func take(
        for caller: Caller, rate: Double, burst: Int32, now: ContinuousClock.Instant = .now
    ) -> (isAllowed: Bool, quota: Quota) {
        buckets.withLock { buckets in
            var bucket = buckets[caller] ?? Bucket(tokens: Double(burst), filledAt: now)
            bucket.tokens = min(Double(burst), bucket.tokens + (now - bucket.filledAt) / .seconds(1) * rate)
            bucket.filledAt = now
            let isAllowed = bucket.tokens >= 1
            if isAllowed { bucket.tokens -= 1 }
            if buckets[caller] == nil, buckets.count >= capacity {
                buckets = buckets.filter { (now - $1.filledAt) / .seconds(1) * rate < Double(burst) }
                if buckets.count >= capacity { buckets = [:] }
            }
            buckets[caller] = bucket
            let wait = bucket.tokens >= 1 ? 0 : Int(((1 - bucket.tokens) / rate).rounded(.up))
            return (isAllowed, Quota(limit: burst, remaining: Int32(bucket.tokens), wait: wait))
        }
    }
}
