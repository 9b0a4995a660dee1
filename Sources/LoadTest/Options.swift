public import PlainHTTP

/// The load, and the instances that it is put on.
public struct Options: Sendable, Encodable {
    /// The instances; connection number n goes to instance n modulo their number.
    public var urls: [BaseURL]
    /// Connections in all: in a closed loop each sends its next request when the last one is answered.
    public var connections: Int
    /// Requests a second of an open loop; `nil`: a closed loop.
    public var rate: Double?
    /// Seconds that are measured.
    public var duration: Double
    /// Seconds of load before they are measured.
    public var warmup: Double
    /// Sources to create.
    public var sources: Int
    /// Operators to create; each serves all of the sources.
    public var operators: Int
    /// The `max_load` of each operator.
    public var maxLoad: Int
    /// The part of the requests that closes a contact, 0 to 0.5: a contact is closed once.
    public var closeShare: Double
    /// The part of the registrations whose lead had a contact before, 0 to 1.
    public var duplicateShare: Double
    /// The part of the registrations that has an `Idempotency-Key`, 0 to 1.
    public var keyShare: Double
    /// The part of those that is sent twice, 0 to 1.
    public var repeatShare: Double
    /// Contacts that a request registers, 1 to 1,000: more than one go to `/api/v1/contacts/batch`.
    public var batch: Int
    /// Whether each contact has a random priority, 0 to 9.
    public var priorities: Bool
    /// Of the sources.
    public var strategy: Strategy
    /// The seed of the requests: the same seed gives the same requests.
    public var seed: UInt64

    /// By what a source's contacts go to operators, in the words of the API.
    public enum Strategy: String, Sendable, Encodable, CaseIterable {
        case weightedRandom = "weighted_random"
        case smoothWeighted = "smooth_weighted"
        case leastLoaded = "least_loaded"
    }

    public init(
        urls: [BaseURL], connections: Int, rate: Double?, duration: Double, warmup: Double, sources: Int,
        operators: Int, maxLoad: Int, closeShare: Double, duplicateShare: Double, keyShare: Double, repeatShare: Double,
        batch: Int, priorities: Bool, strategy: Strategy, seed: UInt64
    ) {
        self.urls = urls
        self.connections = connections
        self.rate = rate
        self.duration = duration
        self.warmup = warmup
        self.sources = sources
        self.operators = operators
        self.maxLoad = maxLoad
        self.closeShare = closeShare
        self.duplicateShare = duplicateShare
        self.keyShare = keyShare
        self.repeatShare = repeatShare
        self.batch = batch
        self.priorities = priorities
        self.strategy = strategy
        self.seed = seed
    }
}

extension BaseURL: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
