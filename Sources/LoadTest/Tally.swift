import Histogram

/// What the connections of one event loop have seen.
struct Tally: Sendable {
    /// Microseconds from when a request was due until it was answered as it should be. Like the rest but the ledger,
    /// of requests that were sent in the measured time.
    var registrations = Tally.emptyHistogram
    var closings = Tally.emptyHistogram
    /// Answers by status.
    var statuses: [Int: Int] = [:]
    /// What stood in the place of answers.
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

/// What the service has acknowledged, in all the time: it must be there in the end.
struct Ledger: Sendable {
    /// Contacts that were registered.
    var registered = IdentifierSet()
    /// Those of them that were closed.
    var closed = IdentifierSet()
    /// How many times an id was acknowledged that had been acknowledged before.
    var repeated = 0
    /// Registrations of which nobody knows whether they took effect: an answer of 5xx, or none.
    var unknown = 0

    mutating func add(_ other: Ledger) {
        repeated += other.repeated + registered.formUnion(other.registered)
        _ = closed.formUnion(other.closed)
        unknown += other.unknown
    }
}

/// How it goes, warm-up or not.
struct Interval: Sendable {
    /// Since the last look.
    var latencies = Tally.emptyHistogram
    /// Since the beginning: answers other than those that should be, and what stood in the place of answers.
    var errors = 0
}
