public import Distribution
public import Postgres

/// A person who takes contacts.
public struct Operator: Sendable, Equatable {
    public let id: OperatorID
    public var name: String
    public var isActive: Bool
    /// The most active contacts this operator may hold at once, at least 1.
    public var maxLoad: Int32
    /// The number of active contacts this operator holds.
    public var currentLoad: Int32
    public let createdAt: Timestamp
    public var updatedAt: Timestamp?
}

/// Where contacts come from: a bot, a form, a mailbox.
public struct Source: Sendable, Equatable {
    public let id: SourceID
    public let name: String
    public let description: String?
    public let createdAt: Timestamp
}

/// An operator's share of one source: the chance of being picked is `weight` over the sum of the
/// weights of those who are available at that moment.
public struct OperatorSourceWeight: Sendable, Equatable {
    public let id: Int64
    public let operatorID: OperatorID
    public let sourceID: SourceID
    public let weight: Int32
    public let createdAt: Timestamp
}

/// A person who writes in, recognised by external id, phone or email.
public struct Lead: Sendable, Equatable {
    public let id: LeadID
    public var identity: LeadIdentity
    public var name: String?
    public let createdAt: Timestamp
    public var updatedAt: Timestamp?
}

public enum ContactStatus: String, Sendable, CaseIterable {
    /// Counts towards its operator's load, or waits for an operator.
    case active
    case closed
}

/// One message of a lead to a source.
public struct Contact: Sendable, Equatable {
    public let id: ContactID
    public let leadID: LeadID
    public let sourceID: SourceID
    /// The operator it was given to; an active contact without one waits.
    public var operatorID: OperatorID?
    public var status: ContactStatus
    public var message: String?
    public let createdAt: Timestamp
    public var updatedAt: Timestamp?
}

/// A contact with the records that it refers to.
public struct ContactDetails: Sendable, Equatable {
    public let contact: Contact
    public let lead: Lead
    public let `operator`: Operator?
    public let source: Source
}

/// A lead with its newest contacts, oldest first.
public struct LeadWithContacts: Sendable, Equatable {
    public let lead: Lead
    /// At most ``contactLimit``, and fewer if they are larger than ``Page/sizeLimit`` together.
    public let contacts: [Contact]
    /// How many the lead has.
    public let contactsCount: Int64

    /// The most contacts that come with a lead.
    public static let contactLimit = 1000
}

/// How many contacts of a source one operator was given; no operator: how many have none.
public struct DistributionCount: Sendable, Equatable {
    public let sourceID: SourceID
    public let sourceName: String
    public let operatorID: OperatorID?
    public let operatorName: String?
    public let contactsCount: Int64
}
