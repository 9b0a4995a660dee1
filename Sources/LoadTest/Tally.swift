import Histogram

/// The results of one event loop's connections.
///
/// All but the ledger are of requests that were sent in the measured time.
struct Tally: Sendable {
    /// Latencies in microseconds, from when a registration was due until it was acknowledged.
    var registrations = Tally.emptyHistogram
    /// The same for closings.
    var closings = Tally.emptyHistogram
    /// Answers by status.
    var statuses: [Int: Int] = [:]
    /// Requests without an answer, and connections that could not be opened, by kind of error.
    var errors: [String: Int] = [:]
    /// Requests of an open loop that were due and never sent.
    var unsent = 0
    var ledger = Ledger()

    static var emptyHistogram: Histogram<UInt64> { Histogram(numberOfSignificantValueDigits: .three) }

    mutating func add(_ other: Tally) {
        registrations.add(other.registrations)
        closings.add(other.closings)
        statuses.merge(other.statuses, uniquingKeysWith: +)
        errors.merge(other.errors, uniquingKeysWith: +)
        unsent += other.unsent
        ledger.add(other.ledger)
    }
}

/// What the service has acknowledged, warm-up included: it must be there in the end.
struct Ledger: Sendable {
    /// Contacts that were registered.
    var registered = IdentifierSet()
    /// Those of them that were closed.
    var closed = IdentifierSet()
    /// The number of times that an id was acknowledged again.
    var repeated = 0
    /// Contacts that may be registered or not: their requests were answered 5xx, or not at all, and no key has settled it.
    var unknown = 0
    /// Batches that were answered.
    var batches = 0
    /// Those of them whose results were not one for each contact in their order, or did not sum up.
    var disordered = 0
    var keys = KeyCounts()

    mutating func add(_ other: Ledger) {
        repeated += other.repeated + registered.formUnion(other.registered)
        _ = closed.formUnion(other.closed)
        unknown += other.unknown
        batches += other.batches
        disordered += other.disordered
        keys.add(other.keys)
    }
}

/// The figures of a line of progress, warm-up or not.
struct Interval: Sendable {
    /// Latencies since the last line.
    var latencies = Tally.emptyHistogram
    /// Wrong answers, and requests without one, since the beginning.
    var errors = 0
}
