/// Why a contact moved.
public enum ContactCause: String, Sendable, CaseIterable {
    case registered
    /// Somebody's place became free while it waited.
    case placeFreed = "place_freed"
    case operatorActivated = "operator_activated"
    case limitRaised = "limit_raised"
    case distributionChanged = "distribution_changed"
    case transfer
    case release
    case requeue
    case close
    case reopen
    /// It was found waiting beside room that no call had made.
    case sweep
    /// Somebody changed it in the database.
    case sql
}

/// What a contact became, and when.
public struct ContactEvent: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case registered = "contact.registered"
        /// Given to an operator while it had none.
        case assigned = "contact.assigned"
        /// Given by one operator to another.
        case transferred = "contact.transferred"
        /// Taken from its operator: it waits.
        case released = "contact.released"
        case closed = "contact.closed"
        case reopened = "contact.reopened"
        /// Anything else.
        case updated = "contact.updated"
    }

    /// What a contact was, or is.
    public struct State: Sendable, Equatable {
        public let operatorID: OperatorID?
        public let status: ContactStatus

        public init(operatorID: OperatorID?, status: ContactStatus) {
            self.operatorID = operatorID
            self.status = status
        }
    }

    /// Later ones are greater.
    public let id: Int64
    public let at: Timestamp
    /// `nil`: it was not there.
    public let before: State?
    public let after: State
    public let operatorName: String?
    /// `nil`: from before causes were kept.
    public let cause: ContactCause?
    /// Who did it, if that is known: `sql:` and a role of the database.
    public let actor: String?

    public init(
        id: Int64, at: Timestamp, before: State?, after: State, operatorName: String?, cause: ContactCause?,
        actor: String?
    ) {
        self.id = id
        self.at = at
        self.before = before
        self.after = after
        self.operatorName = operatorName
        self.cause = cause
        self.actor = actor
    }

    public var kind: Kind {
        guard let before else { return .registered }
        switch (before.status, after.status) {
        case (.active, .closed): return .closed
        case (.closed, .active): return .reopened
        case (.closed, .closed): return .updated
        case (.active, .active): break
        }
        switch (before.operatorID, after.operatorID) {
        case (nil, nil): return .updated
        case (nil, _): return .assigned
        case (_, nil): return .released
        case (let former, let new): return former == new ? .updated : .transferred
        }
    }
}

/// How it was decided who gets a contact, or that it waits: as things were at that moment.
public struct AssignmentExplanation: Sendable, Equatable {
    public struct Choice: Sendable, Equatable {
        public let operatorID: OperatorID
        /// At the contact's source; `nil`: none.
        public let weight: Int32?
        /// With which it was this one, 0 to 1.
        public let probability: Double

        public init(operatorID: OperatorID, weight: Int32?, probability: Double) {
            self.operatorID = operatorID
            self.weight = weight
            self.probability = probability
        }
    }

    /// Why somebody could not be chosen.
    public enum Reason: String, Sendable, CaseIterable {
        case inactive
        case full
        /// Holds as many contacts of the source as the weight allows.
        case sourceShareFull = "source_share_full"
        /// Contacts were just taken from this operator, or one who waits longer may have this operator's place.
        case passedOver = "passed_over"
    }

    /// Somebody with a weight at the source.
    public struct Candidate: Sendable, Equatable {
        public let operatorID: OperatorID
        public let operatorName: String?
        public let weight: Int32
        /// What ``Strategy/smoothWeighted`` owes, of which a contact takes the sum of weights.
        public let credit: Int64?
        public let currentLoad: Int32
        public let maxLoad: Int32
        /// `nil`: could be chosen.
        public let reason: Reason?

        public init(
            operatorID: OperatorID, operatorName: String?, weight: Int32, credit: Int64?, currentLoad: Int32,
            maxLoad: Int32, reason: Reason?
        ) {
            self.operatorID = operatorID
            self.operatorName = operatorName
            self.weight = weight
            self.credit = credit
            self.currentLoad = currentLoad
            self.maxLoad = maxLoad
            self.reason = reason
        }
    }

    /// The event that it led to.
    public let eventID: Int64
    public let at: Timestamp
    public let cause: ContactCause
    public let strategy: Strategy
    /// Whether it went to the operator of the lead's last contact.
    public let isSticky: Bool
    /// `nil`: it waits.
    public let chosen: Choice?
    /// In id order.
    public let candidates: [Candidate]

    public init(
        eventID: Int64, at: Timestamp, cause: ContactCause, strategy: Strategy, isSticky: Bool, chosen: Choice?,
        candidates: [Candidate]
    ) {
        self.eventID = eventID
        self.at = at
        self.cause = cause
        self.strategy = strategy
        self.isSticky = isSticky
        self.chosen = chosen
        self.candidates = candidates
    }
}
