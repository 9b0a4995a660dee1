/// One message of a lead to a source.
public struct Contact: Sendable, Equatable {
    public let id: ContactID
    public let leadID: LeadID
    public let sourceID: SourceID
    /// The operator it was given to; an active contact without one waits.
    public var operatorID: OperatorID?
    public var status: ContactStatus
    public var message: String?
    /// 0 to 9. Of those who wait the highest comes first, then the oldest.
    public var priority: Int32
    public let createdAt: Timestamp
    public var updatedAt: Timestamp?

    public init(
        id: ContactID, leadID: LeadID, sourceID: SourceID, operatorID: OperatorID?, status: ContactStatus,
        message: String?, priority: Int32 = 0, createdAt: Timestamp, updatedAt: Timestamp?
    ) {
        self.id = id
        self.leadID = leadID
        self.sourceID = sourceID
        self.operatorID = operatorID
        self.status = status
        self.message = message
        self.priority = priority
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

public enum ContactStatus: String, Sendable, CaseIterable {
    /// Counts towards its operator's load, or waits for an operator.
    case active
    case closed
}

/// A contact with the records that it refers to.
public struct ContactDetails: Sendable, Equatable {
    public let contact: Contact
    public let lead: Lead
    public let `operator`: Operator?
    public let source: Source

    public init(contact: Contact, lead: Lead, `operator`: Operator?, source: Source) {
        self.contact = contact
        self.lead = lead
        self.`operator` = `operator`
        self.source = source
    }
}

/// A contact to be registered.
public struct NewContact: Sendable, Equatable {
    public let sourceID: SourceID
    public let identity: LeadIdentity
    /// The lead's name, used where the lead has none yet.
    public let leadName: String?
    public let message: String?
    /// 0 to 9.
    public let priority: Int32

    public init(
        sourceID: SourceID, identity: LeadIdentity, leadName: String?, message: String?, priority: Int32 = 0
    ) {
        self.sourceID = sourceID
        self.identity = identity
        self.leadName = leadName
        self.message = message
        self.priority = priority
    }
}

/// What to change of a contact; `nil` leaves it as it is.
public struct ContactPatch: Sendable, Equatable {
    public let status: ContactStatus?
    /// The operator to transfer the contact to.
    public let operatorID: OperatorID?
    public let message: String?
    /// 0 to 9.
    public let priority: Int32?

    public init(
        status: ContactStatus? = nil, operatorID: OperatorID? = nil, message: String? = nil, priority: Int32? = nil
    ) {
        self.status = status
        self.operatorID = operatorID
        self.message = message
        self.priority = priority
    }
}

/// Which contacts to list; `nil` and `false` do not filter.
public struct ContactFilter: Sendable, Equatable {
    public var status: ContactStatus?
    public var operatorID: OperatorID?
    public var sourceID: SourceID?
    public var leadID: LeadID?
    /// Active contacts without an operator.
    public var waiting = false

    public init() {}
}
