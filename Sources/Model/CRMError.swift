/// What a caller asked wrongly, or cannot have now.
public enum CRMError: Error, Sendable, Equatable {
    case operatorNotFound(OperatorID)
    case sourceNotFound(SourceID)
    case leadNotFound(LeadID)
    case contactNotFound(ContactID)
    /// The operator has no weight at the source.
    case weightNotFound(OperatorID, SourceID)
    /// No key has this id.
    case keyNotFound(String)
    case sourceNameTaken(String)
    /// The key of a request was another request's.
    case idempotencyKeyReused
    /// The first request with the key is still under way. Nothing changed.
    case idempotencyInFlight
    /// A transfer to an operator who is not active.
    case operatorInactive(OperatorID)
    /// A transfer to an operator at the limit.
    case operatorFull(OperatorID)
    /// A transfer to an operator who holds as many contacts of the source as the weight allows.
    case sourceShareFull(OperatorID, SourceID)
    /// A transfer of a contact that is closed.
    case contactClosed(ContactID)
    /// A delete of an operator to whom a contact belongs or belonged.
    case operatorInUse(OperatorID)
    /// A delete of a source to which a contact belongs.
    case sourceInUse(SourceID)
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
        /// PostgreSQL lacks memory, disk space or locks for now. Nothing changed.
        case overloaded
        case readOnly
        /// The database is behind the schema of this program.
        case migrationsPending
        case shuttingDown
    }
}
