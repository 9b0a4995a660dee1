/// Contacts that wait at a source.
public struct SourceQueue: Sendable, Equatable {
    /// Why they wait.
    public enum Reason: String, Sendable, CaseIterable {
        /// Nobody has a weight at the source.
        case noOperators = "no_operators"
        /// Nobody who has one is active.
        case noneActive = "none_active"
        /// Everybody who is active holds as many contacts as they may.
        case allFull = "all_full"
    }

    public let sourceID: SourceID
    public let sourceName: String
    /// How many wait, at least 1.
    public let waiting: Int64
    /// When the oldest of them was registered.
    public let oldestCreatedAt: Timestamp
    /// How long ago that was, in seconds.
    public let oldestAge: Double
    /// `nil`: an operator has room by now, and they are about to be let in.
    public let reason: Reason?

    public init(
        sourceID: SourceID, sourceName: String, waiting: Int64, oldestCreatedAt: Timestamp, oldestAge: Double,
        reason: Reason?
    ) {
        self.sourceID = sourceID
        self.sourceName = sourceName
        self.waiting = waiting
        self.oldestCreatedAt = oldestCreatedAt
        self.oldestAge = oldestAge
        self.reason = reason
    }
}

/// A contact that waits.
public struct QueuedContact: Sendable, Equatable {
    public let details: ContactDetails
    /// Its place among those that wait at its source, from 1 on.
    public let position: Int64

    public init(details: ContactDetails, position: Int64) {
        self.details = details
        self.position = position
    }
}
