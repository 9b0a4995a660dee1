public import Distribution
public import Model

/// What a batch leads to: the answers, true once the changes are durable, and the changes.
public struct Decision: Sendable {
    /// One for each command, in their order.
    public internal(set) var answers: [Result<AssignmentOutcome, CRMError>]
    public let changes: Changes
    /// The sources at which contacts are left waiting for another transaction, though there is room, each with what made it.
    public let backlog: [SourceID: ContactCause]
    /// How it was decided who takes what; `nil`: nothing was.
    public let record: DeskRecord?

    public init(
        answers: [Result<AssignmentOutcome, CRMError>], changes: Changes, backlog: [SourceID: ContactCause] = [:],
        record: DeskRecord? = nil
    ) {
        self.answers = answers
        self.changes = changes
        self.backlog = backlog
        self.record = record
    }
}

/// What is to be written.
public struct Changes: Sendable, Equatable {
    /// What a contact becomes that was there before.
    public struct Move: Sendable, Equatable {
        public let id: ContactID
        public let operatorID: OperatorID?
        public let status: ContactStatus
        public let priority: Int32
        /// `nil` leaves the message as it is.
        public let message: String?
        /// Why operator or status changed, if they did.
        public let cause: ContactCause?
    }

    /// What a strategy remembers of an operator.
    public struct Turn: Sendable, Equatable {
        public let sourceID: SourceID
        public let operatorID: OperatorID
        public let turn: Desk.Turn
    }

    public internal(set) var addedLeads: [Lead] = []
    public internal(set) var filledLeads: [Lead] = []
    /// In id order.
    public internal(set) var moves: [Move] = []
    /// In the order of their commands.
    public internal(set) var addedContacts: [Contact] = []
    /// The operators whose load changes, in id order.
    public internal(set) var changedLoads: [OperatorID] = []
    /// What strategies are to remember anew, by source and operator.
    public internal(set) var turns: [Turn] = []
    /// How many of the moves let in a contact that waited and that no command names.
    public internal(set) var admitted = 0

    public init() {}

    public var isEmpty: Bool { self == Changes() }
}

/// The ids of a contact and, should the contact have none yet, of its lead, that nobody has.
public struct NewIDs: Sendable {
    public let contact: ContactID
    public let lead: LeadID

    public init(contact: ContactID, lead: LeadID) {
        self.contact = contact
        self.lead = lead
    }
}

/// Decides what becomes of a batch. Pure: the same arguments lead to the same decision.
///
/// - Parameters:
///   - snapshot: Read after the batch's change of staff, if it has one, which so is in it.
///   - ids: One for each registration.
///   - seed: Decides every random choice.
public func decide(_ batch: Batch, _ snapshot: Snapshot, ids: [NewIDs], seed: UInt64) -> Decision {
    var decider = Decider(snapshot, seed: seed)
    return decider.decide(batch, ids)
}

private struct Decider {
    private let snapshot: Snapshot
    private let placements: [ContactID: Desk.Placement]
    private var desk: Desk
    private var leads: LeadBook
    /// Whether one of the sources is.
    private let isSticky: Bool
    /// In id order those of a lead's contacts that the batch names or adds, if one of the sources is sticky.
    private var contactsOfLead: [LeadID: [ContactID]] = [:]

    private enum Step {
        case done(Result<AssignmentOutcome, CRMError>)
        case added(Contact)
        case updated(ContactID, ContactPatch, Result<Desk.Placement, Desk.Refusal>)
        case released([ContactID])
    }

    init(_ snapshot: Snapshot, seed: UInt64) {
        self.snapshot = snapshot
        placements = snapshot.waiting.merging(
            snapshot.contacts.mapValues {
                Desk.Placement(
                    sourceID: $0.contact.sourceID, operatorID: $0.contact.operatorID,
                    isActive: $0.contact.status == .active, priority: $0.contact.priority)
            }
        ) { $1 }
        desk = Desk(
            capacities: snapshot.operators.mapValues {
                Desk.Capacity(isActive: $0.isActive, maxLoad: $0.maxLoad, currentLoad: $0.currentLoad)
            }, shares: snapshot.shares, strategies: snapshot.strategies, turns: snapshot.turns, rooms: snapshot.rooms,
            placements: placements, unread: snapshot.unread, clock: snapshot.clock, seed: seed)
        leads = LeadBook(snapshot.leads)
        isSticky = snapshot.sources.values.contains(where: \.isSticky)
        guard isSticky else { return }
        for named in snapshot.contacts.values.sorted(by: { $0.contact.id < $1.contact.id }) {
            contactsOfLead[named.lead.id, default: []].append(named.contact.id)
        }
    }

    mutating func decide(_ batch: Batch, _ ids: [NewIDs]) -> Decision {
        var ids = ids.makeIterator()
        // Who is released in parts is not to come back with the next one.
        let commands = batch.commands
        for case .release(let id, _) in commands { desk.close(id) }
        let before = desk
        desk.admitWaiting { [snapshot] in snapshot.cause(after: batch.staffChange, $0, $1) }
        let steps = commands.map { carryOut($0, &ids) }
        var changes = Changes()
        var messages: [ContactID: String] = [:]
        var answers: [Result<AssignmentOutcome, CRMError>] = []
        for step in steps {
            switch step {
            case .done(let answer): answers.append(answer)
            case .added(var contact):
                contact.operatorID = desk.placements[contact.id]!.operatorID
                changes.addedContacts.append(contact)
                answers.append(
                    .success(details(contact, leads.leads[contact.leadID]!, snapshot.sources[contact.sourceID]!)))
            case .updated(let id, let patch, let result):
                answers.append(answer(to: patch, of: id, result, &messages))
            case .released(let contacts):
                let waiting = contacts.count { desk.placements[$0]!.operatorID == nil }
                answers.append(
                    .success(
                        .released(
                            Release(
                                released: contacts.count, reassigned: contacts.count - waiting, waiting: waiting))))
            }
        }
        // A change of staff is answered with what it led to.
        if let change = batch.staffChange { answers = [.success(outcome(of: change))] }
        let moved = placements.filter { id, before in desk.placements[id] != before || messages[id] != nil }
        let causes = moved.isEmpty ? [:] : causesOfSteps()
        changes.moves = moved.sorted { $0.key < $1.key }.map { id, before in
            let placement = desk.placements[id]!
            let isClosing = before.isActive && !placement.isActive
            return Changes.Move(
                id: id, operatorID: placement.operatorID, status: placement.isActive ? .active : .closed,
                priority: placement.priority, message: messages[id], cause: isClosing ? .close : causes[id])
        }
        changes.admitted = moved.keys.count { snapshot.contacts[$0] == nil }
        changes.addedLeads = leads.added.sorted().map { leads.leads[$0]! }
        changes.filledLeads = leads.filled.sorted().map { leads.leads[$0]! }
        changes.changedLoads = desk.capacities.filter { $1.currentLoad != snapshot.operators[$0]!.currentLoad }
            .keys.sorted()
        changes.turns = desk.turns.keys.sorted().flatMap { source in
            desk.turns[source]!.filter { $1 != snapshot.turns[source]?[$0] }
                .map { Changes.Turn(sourceID: source, operatorID: $0, turn: $1) }
                .sorted { $0.operatorID < $1.operatorID }
        }
        let backlog = desk.backlog.map { ($0, snapshot.cause(after: batch.staffChange, $0)) }
        return Decision(
            answers: answers, changes: changes, backlog: Dictionary(uniqueKeysWithValues: backlog),
            record: desk.steps.isEmpty ? nil : DeskRecord(of: before, desk.steps))
    }

    /// Why each contact moved: who was taken from an operator and then let in was moved by what took it.
    private func causesOfSteps() -> [ContactID: ContactCause] {
        var causes: [ContactID: ContactCause] = [:]
        for step in desk.steps {
            switch step.event {
            case .given(let id, _, _), .left(let id):
                if !step.cause.isAdmission || causes[id]?.isAdmission ?? true { causes[id] = step.cause }
            case .freed: break
            }
        }
        return causes
    }

    private mutating func carryOut(_ command: AssignmentCommand, _ ids: inout IndexingIterator<[NewIDs]>) -> Step {
        switch command {
        case .register(let new):
            let ids = ids.next()!
            guard let source = snapshot.sources[new.sourceID] else {
                return .done(.failure(.sourceNotFound(new.sourceID)))
            }
            let leadID = leads.lead(for: new, newID: ids.lead, now: snapshot.now)
            // None of its rules can refuse it.
            _ = desk.carryOut(
                .register(
                    ids.contact, source.id, priority: new.priority,
                    preferring: source.isSticky ? lastOperator(of: leadID) : nil))
            if isSticky { contactsOfLead[leadID, default: []].append(ids.contact) }
            return .added(
                Contact(
                    id: ids.contact, leadID: leadID, sourceID: source.id, operatorID: nil, status: .active,
                    message: new.message, priority: new.priority, createdAt: snapshot.now, updatedAt: nil))
        case .updateContact(let id, let patch):
            let change = Desk.Change.update(
                id, isActive: patch.status.map { $0 == .active }, operatorID: patch.operatorID,
                priority: patch.priority)
            return .updated(id, patch, carryOut(change, of: id))
        case .requeue(let id): return .updated(id, ContactPatch(), carryOut(.requeue(id), of: id))
        case .release(let id, let contacts):
            guard snapshot.operators[id] != nil else { return .done(.failure(.operatorNotFound(id))) }
            return .released(desk.release(contacts, from: id))
        case .admitWaiting, .updateOperator, .setDistribution: return .done(.success(.admission))
        }
    }

    private mutating func carryOut(
        _ change: Desk.Change, of id: ContactID
    ) -> Result<Desk.Placement, Desk.Refusal> {
        // Who names a contact that this batch adds has guessed its id: nobody was told it yet.
        snapshot.contacts[id] == nil ? .failure(.contactNotFound) : desk.carryOut(change)
    }

    /// The operator of the lead's newest contact that has one, as things stand within the batch.
    private func lastOperator(of lead: LeadID) -> OperatorID? {
        let last = snapshot.lastContacts[lead]
        if let newest = contactsOfLead[lead]?.last(where: { desk.placements[$0]?.operatorID != nil }),
            newest >= last?.contact ?? newest
        {
            return desk.placements[newest]!.operatorID
        }
        return last?.operatorID
    }

    private func answer(
        to patch: ContactPatch, of id: ContactID, _ result: Result<Desk.Placement, Desk.Refusal>,
        _ messages: inout [ContactID: String]
    ) -> Result<AssignmentOutcome, CRMError> {
        switch result {
        case .failure(let refusal): return .failure(CRMError(refusal, contact: id, at: placements[id]?.sourceID, patch))
        case .success(let placement):
            let named = snapshot.contacts[id]!
            var contact = named.contact
            if let message = patch.message, Bytewise(message) != contact.message.map(Bytewise.init) {
                messages[id] = message
            }
            if placement != placements[id] || messages[id] != nil { contact.updatedAt = snapshot.now }
            contact.operatorID = desk.placements[id]!.operatorID
            contact.status = placement.isActive ? .active : .closed
            contact.message = messages[id] ?? contact.message
            contact.priority = placement.priority
            return .success(details(contact, named.lead, named.source))
        }
    }

    private func details(_ contact: Contact, _ lead: Lead, _ source: Source) -> AssignmentOutcome {
        .contact(
            ContactDetails(
                contact: contact, lead: lead, operator: contact.operatorID.map(loadedOperator), source: source))
    }

    private func outcome(of change: AssignmentCommand) -> AssignmentOutcome {
        if case .updateOperator(let id, _) = change {
            .operator(loadedOperator(id))
        } else {
            .weights(snapshot.weights)
        }
    }

    /// The operator with the load after the batch.
    private func loadedOperator(_ id: OperatorID) -> Operator {
        var found = snapshot.operators[id]!
        found.currentLoad = desk.capacities[id]!.currentLoad
        return found
    }
}

extension CRMError {
    fileprivate init(_ refusal: Desk.Refusal, contact: ContactID, at source: SourceID?, _ patch: ContactPatch) {
        switch refusal {
        case .contactNotFound: self = .contactNotFound(contact)
        case .contactClosed: self = .contactClosed(contact)
        case .operatorNotFound: self = .operatorNotFound(patch.operatorID!)
        case .operatorInactive: self = .operatorInactive(patch.operatorID!)
        case .operatorFull: self = .operatorFull(patch.operatorID!)
        case .shareFull: self = .sourceShareFull(patch.operatorID!, source!)
        }
    }
}

extension ContactCause {
    /// Whether it lets in a contact that waits, and no call names it.
    fileprivate var isAdmission: Bool {
        switch self {
        case .placeFreed, .operatorActivated, .limitRaised, .distributionChanged, .sweep: true
        case .registered, .transfer, .release, .requeue, .close, .reopen, .sql: false
        }
    }
}
