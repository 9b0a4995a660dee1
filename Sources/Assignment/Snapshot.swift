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
    /// Everybody who could take a contact, and whoever a command names or takes a contact from.
    public var operators: [OperatorID: Operator] = [:]
    /// The weights of those operators, by source.
    public var shares: [SourceID: [Desk.Share]] = [:]
    public var sources: [SourceID: Source] = [:]
    public var contacts: [ContactID: NamedContact] = [:]
    /// The contacts that may be let in, the oldest of each source, with their sources.
    public var waiting: [ContactID: SourceID] = [:]
    /// The sources at which more contacts wait than `waiting` has, each with the last one that it has.
    public var unread: [SourceID: ContactID] = [:]
    /// Every lead that has one of the identifiers that commands bring.
    public var leads: [Lead] = []
    /// What a change of a distribution has set.
    public var weights: [OperatorSourceWeight] = []

    public init(now: Timestamp) { self.now = now }
}
