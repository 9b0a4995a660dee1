public import Distribution

/// A contact to be registered.
public struct NewContact: Sendable, Equatable {
    public let sourceID: SourceID
    public let identity: LeadIdentity
    /// The lead's name, used where the lead has none yet.
    public let leadName: String?
    public let message: String?

    public init(sourceID: SourceID, identity: LeadIdentity, leadName: String?, message: String?) {
        self.sourceID = sourceID
        self.identity = identity
        self.leadName = leadName
        self.message = message
    }
}

/// What to change of a contact; `nil` leaves it as it is.
public struct ContactPatch: Sendable, Equatable {
    public let status: ContactStatus?
    /// The operator to transfer the contact to.
    public let operatorID: OperatorID?
    public let message: String?

    public init(status: ContactStatus? = nil, operatorID: OperatorID? = nil, message: String? = nil) {
        self.status = status
        self.operatorID = operatorID
        self.message = message
    }
}

/// What to change of an operator; `nil` leaves it as it is.
public struct OperatorPatch: Sendable, Equatable {
    public let name: String?
    public let isActive: Bool?
    /// At least 1.
    public let maxLoad: Int32?

    public init(name: String? = nil, isActive: Bool? = nil, maxLoad: Int32? = nil) {
        self.name = name
        self.isActive = isActive
        self.maxLoad = maxLoad
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

/// Everything that changes a load, or may let waiting contacts in. It goes through the ``Dispatcher``.
package enum Command: Sendable {
    case register(NewContact)
    case updateContact(ContactID, ContactPatch)
    case updateOperator(OperatorID, OperatorPatch)
    case setDistribution(SourceID, [WeightAssignment], replacing: Bool)
    /// Lets in who still waits at these sources though there is room: more did than one transaction lets in.
    case admitWaiting([SourceID])
}

/// What became of a ``Command``.
package enum Outcome: Sendable {
    case contact(ContactDetails)
    case `operator`(Operator)
    case weights([OperatorSourceWeight])
    case admission
}

/// What a caller asked wrongly, or cannot have now.
public enum CRMError: Error, Sendable, Equatable {
    case operatorNotFound(OperatorID)
    case sourceNotFound(SourceID)
    case leadNotFound(LeadID)
    case contactNotFound(ContactID)
    case sourceNameTaken(String)
    /// A transfer to an operator who is not active.
    case operatorInactive(OperatorID)
    /// A transfer to an operator at the limit.
    case operatorFull(OperatorID)
    /// A transfer of a contact that is closed.
    case contactClosed(ContactID)
    /// The database refused this one command for a constraint; nothing changed.
    case rejected
    case unavailable(Unavailable)

    /// Why the service cannot do it now.
    public enum Unavailable: Sendable, Equatable {
        /// Too many requests wait. Nothing changed.
        case queueFull
        /// Not done in time. Nothing changed.
        case deadline
        /// Not confirmed in time: the change was made or was not.
        case outcomeUnknown
        /// PostgreSQL cannot be reached or cannot write. Nothing changed.
        case database
        case readOnly
        /// The database is behind the schema of this program.
        case migrationsPending
        case shuttingDown
    }
}
