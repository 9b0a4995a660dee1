/// By what a source's contacts go to those of its operators who are available.
public enum Strategy: String, Sendable, CaseIterable {
    /// By chance: with probability weight / sum of weights.
    case weightedRandom = "weighted_random"
    /// In turn: each stays within one contact of its share while the same ones are available.
    case smoothWeighted = "smooth_weighted"
    /// To whoever has the smallest share of `maxLoad` taken.
    case leastLoaded = "least_loaded"
}

/// Who would get how many of a source's next contacts.
public struct DistributionPreview: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
        public let operatorID: OperatorID
        public let operatorName: String
        public let count: Int
        /// The weight in percent of the sum of weights.
        public let expectedPercent: Double

        public init(operatorID: OperatorID, operatorName: String, count: Int, expectedPercent: Double) {
            self.operatorID = operatorID
            self.operatorName = operatorName
            self.count = count
            self.expectedPercent = expectedPercent
        }
    }

    /// Everybody who has a weight, in id order.
    public let assigned: [Part]
    /// How many of them would wait.
    public let waiting: Int

    public init(assigned: [Part], waiting: Int) {
        self.assigned = assigned
        self.waiting = waiting
    }
}

/// Where contacts come from: a bot, a form, a mailbox.
public struct Source: Sendable, Equatable {
    public let id: SourceID
    public let name: String
    public let description: String?
    public let createdAt: Timestamp
    public let strategy: Strategy
    /// Whether a lead who comes back goes to the operator of their last contact, if that one may have it.
    public let isSticky: Bool

    public init(
        id: SourceID, name: String, description: String?, createdAt: Timestamp, strategy: Strategy = .weightedRandom,
        isSticky: Bool = false
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.strategy = strategy
        self.isSticky = isSticky
        self.createdAt = createdAt
    }
}

/// An operator's share of one source: the chance of being picked is `weight` over the sum of the
/// weights of those who are available at that moment.
public struct OperatorSourceWeight: Sendable, Equatable {
    public let id: Int64
    public let operatorID: OperatorID
    public let sourceID: SourceID
    public let weight: Int32
    public let createdAt: Timestamp
    /// The most active contacts of the source that the operator may hold, at least 1; `nil`: only the operator's own limit
    /// counts.
    public let maxLoad: Int32?

    public init(
        id: Int64, operatorID: OperatorID, sourceID: SourceID, weight: Int32, createdAt: Timestamp,
        maxLoad: Int32? = nil
    ) {
        self.id = id
        self.operatorID = operatorID
        self.sourceID = sourceID
        self.weight = weight
        self.createdAt = createdAt
        self.maxLoad = maxLoad
    }
}

/// An operator's weight at a source, to be set.
public struct WeightAssignment: Sendable, Equatable {
    public let operatorID: OperatorID
    /// At least 1.
    public let weight: Int32
    /// At least 1; `nil`: none.
    public let maxLoad: Int32?

    public init(operatorID: OperatorID, weight: Int32, maxLoad: Int32? = nil) {
        self.operatorID = operatorID
        self.weight = weight
        self.maxLoad = maxLoad
    }
}

/// How many contacts of a source one operator was given; no operator: how many have none.
public struct DistributionCount: Sendable, Equatable {
    public let sourceID: SourceID
    public let sourceName: String
    public let operatorID: OperatorID?
    public let operatorName: String?
    public let contactsCount: Int64

    public init(
        sourceID: SourceID, sourceName: String, operatorID: OperatorID?, operatorName: String?, contactsCount: Int64
    ) {
        self.sourceID = sourceID
        self.sourceName = sourceName
        self.operatorID = operatorID
        self.operatorName = operatorName
        self.contactsCount = contactsCount
    }
}
