/// Where contacts come from: a bot, a form, a mailbox.
public struct Source: Sendable, Equatable {
    public let id: SourceID
    public let name: String
    public let description: String?
    public let createdAt: Timestamp

    public init(id: SourceID, name: String, description: String?, createdAt: Timestamp) {
        self.id = id
        self.name = name
        self.description = description
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

    public init(id: Int64, operatorID: OperatorID, sourceID: SourceID, weight: Int32, createdAt: Timestamp) {
        self.id = id
        self.operatorID = operatorID
        self.sourceID = sourceID
        self.weight = weight
        self.createdAt = createdAt
    }
}

/// An operator's weight at a source, to be set.
public struct WeightAssignment: Sendable, Equatable {
    public let operatorID: OperatorID
    /// At least 1.
    public let weight: Int32

    public init(operatorID: OperatorID, weight: Int32) {
        self.operatorID = operatorID
        self.weight = weight
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
