public import Distribution
public import Model

/// What a transaction has read of the records that a batch concerns.
public struct Snapshot: Sendable {
    /// A contact that a command names, with the records that its answer shows.
    public struct NamedContact: Sendable {
        public let contact: Contact
        public let lead: Lead
        public let source: Source

        public init(contact: Contact, lead: Lead, source: Source) {
            self.contact = contact
            self.lead = lead
            self.source = source
        }
    }

    /// The transaction's time.
    public let now: Timestamp
    /// Later than any contact was given so far.
    public var clock: Timestamp
    /// Everybody who could take a contact, and whoever a command names or takes a contact from.
    public var operators: [OperatorID: Operator] = [:]
    /// The weights of those operators, by source.
    public var shares: [SourceID: [Desk.Share]] = [:]
    public var sources: [SourceID: Source] = [:]
    public var contacts: [ContactID: NamedContact] = [:]
    /// How many more contacts of a source an operator may hold, where the weight says so.
    public var rooms: [SourceID: [OperatorID: Int32]] = [:]
    /// What strategies remember of the operators of their sources, whether available or not.
    public var turns: [SourceID: [OperatorID: Desk.Turn]] = [:]
    /// The contacts that may be let in, the first in each source's queue.
    public var waiting: [ContactID: Desk.Placement] = [:]
    /// The sources at which more contacts wait than `waiting` has, each with the last one that it has.
    public var unread: [SourceID: QueuePlace] = [:]
    /// Every lead that has one of the identifiers that commands bring.
    public var leads: [Lead] = []
    /// The newest contact of each of those leads that has an operator, if it matters to one of the sources.
    public var lastContacts: [LeadID: (contact: ContactID, operatorID: OperatorID)] = [:]
    /// What a change of a distribution has set.
    public var weights: [OperatorSourceWeight] = []
    /// Why the batch's change of staff makes room.
    public var staffCause: ContactCause?
    /// What made room for those who wait at a source, where it is known.
    public var backlog: [SourceID: ContactCause] = [:]

    public init(now: Timestamp) {
        self.now = now
        clock = now
    }

    /// How the sources that are known give their contacts away.
    var strategies: [SourceID: Strategy] {
        contacts.values.reduce(into: sources.mapValues(\.strategy)) { $0[$1.source.id] = $1.source.strategy }
    }

    /// What made room for those who wait at a source.
    ///
    /// - Parameter operatorID: Whose room it is; `nil`: it may be several ones'.
    func cause(
        after staffChange: AssignmentCommand?, _ source: SourceID, _ operatorID: OperatorID? = nil
    ) -> ContactCause {
        let isItsRoom =
            switch staffChange {
            case .updateOperator(let id, _): operatorID.map { $0 == id } ?? true
            case .setDistribution(let id, _, _): source == id
            case .register, .updateContact, .requeue, .release, .admitWaiting, nil: false
            }
        return (isItsRoom ? staffCause : nil) ?? backlog[source] ?? .sweep
    }
}
