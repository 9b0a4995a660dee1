import Distribution
public import Model

/// What a batch leads to: the answers, true once the changes are durable, and the changes.
public struct Decision: Sendable {
    /// One for each command, in their order.
    public internal(set) var answers: [Result<AssignmentOutcome, CRMError>]
    public let changes: Changes
    /// The sources at which contacts are left waiting for another transaction, though there is room.
    public let backlog: Set<SourceID>

    public init(answers: [Result<AssignmentOutcome, CRMError>], changes: Changes, backlog: Set<SourceID> = []) {
        self.answers = answers
        self.changes = changes
        self.backlog = backlog
    }
}

/// What is to be written.
public struct Changes: Sendable, Equatable {
    /// What a contact becomes that was there before.
    public struct Move: Sendable, Equatable {
        public let id: ContactID
        public let operatorID: OperatorID?
        public let status: ContactStatus
        /// `nil` leaves the message as it is.
        public let message: String?
    }

    public internal(set) var addedLeads: [Lead] = []
    public internal(set) var filledLeads: [Lead] = []
    /// In id order.
    public internal(set) var moves: [Move] = []
    /// In the order of their commands.
    public internal(set) var addedContacts: [Contact] = []
    /// The operators whose load changes, in id order.
    public internal(set) var changedLoads: [OperatorID] = []
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

    private enum Step {
        case done(Result<AssignmentOutcome, CRMError>)
        case added(Contact)
        case updated(ContactID, ContactPatch)
    }

    init(_ snapshot: Snapshot, seed: UInt64) {
        self.snapshot = snapshot
        let waiting = snapshot.waiting.mapValues { Desk.Placement(sourceID: $0, operatorID: nil, isActive: true) }
        placements = waiting.merging(
            snapshot.contacts.mapValues {
                Desk.Placement(
                    sourceID: $0.contact.sourceID, operatorID: $0.contact.operatorID,
                    isActive: $0.contact.status == .active)
            }
        ) { $1 }
        desk = Desk(
            capacities: snapshot.operators.mapValues {
                Desk.Capacity(isActive: $0.isActive, maxLoad: $0.maxLoad, currentLoad: $0.currentLoad)
            }, shares: snapshot.shares, placements: placements, unread: snapshot.unread, seed: seed)
        leads = LeadBook(snapshot.leads)
    }

    mutating func decide(_ batch: Batch, _ ids: [NewIDs]) -> Decision {
        var ids = ids.makeIterator()
        let steps = batch.commands.map { step(for: $0, &ids) }
        let results = desk.carryOut(
            steps.compactMap { step in
                switch step {
                case .done: nil
                case .added(let contact): .register(contact.id, contact.sourceID)
                case .updated(let id, let patch):
                    .update(id, isActive: patch.status.map { $0 == .active }, operatorID: patch.operatorID)
                }
            })
        var changes = Changes()
        var messages: [ContactID: String] = [:]
        var remaining = results.makeIterator()
        var answers: [Result<AssignmentOutcome, CRMError>] = []
        for step in steps {
            switch step {
            case .done(let answer): answers.append(answer)
            case .added(var contact):
                _ = remaining.next()
                contact.operatorID = desk.placements[contact.id]!.operatorID
                changes.addedContacts.append(contact)
                answers.append(
                    .success(details(contact, leads.leads[contact.leadID]!, snapshot.sources[contact.sourceID]!)))
            case .updated(let id, let patch):
                answers.append(answer(to: patch, of: id, remaining.next()!, &messages))
            }
        }
        // A change of staff is answered with what it led to.
        if let change = batch.staffChange { answers = [.success(outcome(of: change))] }
        let moved = placements.filter { id, before in desk.placements[id] != before || messages[id] != nil }
        changes.moves = moved.keys.sorted().map { id in
            let placement = desk.placements[id]!
            return Changes.Move(
                id: id, operatorID: placement.operatorID, status: placement.isActive ? .active : .closed,
                message: messages[id])
        }
        changes.admitted = moved.keys.count { snapshot.contacts[$0] == nil }
        changes.addedLeads = leads.added.sorted().map { leads.leads[$0]! }
        changes.filledLeads = leads.filled.sorted().map { leads.leads[$0]! }
        changes.changedLoads = desk.capacities.filter { $1.currentLoad != snapshot.operators[$0]!.currentLoad }
            .keys.sorted()
        return Decision(answers: answers, changes: changes, backlog: desk.backlog)
    }

    private mutating func step(for command: AssignmentCommand, _ ids: inout IndexingIterator<[NewIDs]>) -> Step {
        switch command {
        case .register(let new):
            let ids = ids.next()!
            guard snapshot.sources[new.sourceID] != nil else {
                return .done(.failure(.sourceNotFound(new.sourceID)))
            }
            return .added(
                Contact(
                    id: ids.contact, leadID: leads.lead(for: new, newID: ids.lead, now: snapshot.now),
                    sourceID: new.sourceID, operatorID: nil, status: .active, message: new.message,
                    createdAt: snapshot.now, updatedAt: nil))
        case .updateContact(let id, let patch): return .updated(id, patch)
        case .admitWaiting, .updateOperator, .setDistribution: return .done(.success(.admission))
        }
    }

    private func answer(
        to patch: ContactPatch, of id: ContactID, _ result: Result<Desk.Placement, Desk.Refusal>,
        _ messages: inout [ContactID: String]
    ) -> Result<AssignmentOutcome, CRMError> {
        switch result {
        case .failure(let refusal): return .failure(CRMError(refusal, contact: id, patch))
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
    fileprivate init(_ refusal: Desk.Refusal, contact: ContactID, _ patch: ContactPatch) {
        switch refusal {
        case .contactNotFound: self = .contactNotFound(contact)
        case .contactClosed: self = .contactClosed(contact)
        case .operatorNotFound: self = .operatorNotFound(patch.operatorID!)
        case .operatorInactive: self = .operatorInactive(patch.operatorID!)
        case .operatorFull: self = .operatorFull(patch.operatorID!)
        }
    }
}
