import Assignment
import Distribution
import Model
import Testing

/// `decide` on random snapshots, without a database.
@Suite struct DecisionTests {
    @Test("A batch leads to what its commands lead to one by one, but for who is picked")
    func oneByOne() {
        for seed in UInt64(1)...1000 {
            // With one operator a source nothing is left to chance.
            var world = World(seed: seed, operatorsOfSource: 0...1)
            let batch = world.randomBatch()
            let decision = decide(batch, world.snapshot(for: batch), ids: world.ids(for: batch), seed: 1)
            var single = world
            var answers: [Result<AssignmentOutcome, CRMError>] = []
            for command in batch.commands {
                let one = Batch([command])
                let step = decide(one, single.snapshot(for: one), ids: single.ids(for: one), seed: 1)
                answers += step.answers
                single.apply(step.changes, registrations: one.registrations.count)
            }
            world.apply(decision.changes, registrations: batch.registrations.count)
            #expect(world.contacts == single.contacts, "seed \(seed)")
            // A lead that is added and filled in one batch was never there without its values.
            #expect(world.leads.mapValues(\.identity) == single.leads.mapValues(\.identity), "seed \(seed)")
            #expect(world.operators == single.operators, "seed \(seed)")
            #expect(decision.answers.map(kind) == answers.map(kind), "seed \(seed)")
        }
    }

    @Test("Who guesses the id of a contact that the same batch adds finds none")
    func guessedID() {
        var snapshot = Snapshot(now: Timestamp(microsecondsSince2000: 0))
        let source = Source(
            id: SourceID(1), name: "s", description: nil, createdAt: Timestamp(microsecondsSince2000: 0))
        snapshot.sources[source.id] = source
        let new = NewContact(
            sourceID: source.id, identity: LeadIdentity(externalID: nil, phone: nil, email: nil), leadName: nil,
            message: nil)
        let guesses: [AssignmentCommand] = [
            .updateContact(ContactID(1), ContactPatch(status: .closed)), .requeue(ContactID(1)),
        ]
        for guess in guesses {
            let decision = decide(
                Batch([.register(new), guess]), snapshot, ids: [NewIDs(contact: ContactID(1), lead: LeadID(1))],
                seed: 1)
            #expect(decision.answers[1] == .failure(.contactNotFound(ContactID(1))))
            #expect(decision.changes.addedContacts.map(\.status) == [.active])
        }
    }

    @Test("Whatever is decided: no limit passed, loads counted, nobody waits beside room, oldest first")
    func properties() {
        for seed in UInt64(1)...2000 {
            var world = World(seed: seed, operatorsOfSource: 0...4)
            let before = world
            let batch = world.randomBatch()
            let decision = decide(batch, world.snapshot(for: batch), ids: world.ids(for: batch), seed: seed)
            #expect(decision.answers.count == batch.commands.count)
            world.apply(decision.changes, registrations: batch.registrations.count)
            for entry in world.operators.values {
                let load = world.contacts.values.count { $0.operatorID == entry.id && $0.status == .active }
                #expect(Int(entry.currentLoad) == load, "seed \(seed): operator \(entry.id)'s load is a count")
                let limit = max(entry.maxLoad, before.operators[entry.id]!.currentLoad)
                #expect(entry.currentLoad <= limit, "seed \(seed): operator \(entry.id) is over the limit")
            }
            let named = Set(batch.contacts)
            for contact in world.waiting {
                #expect(!world.hasRoom(at: contact.sourceID), "seed \(seed): contact \(contact.id) waits beside room")
                for other in world.contacts.values
                where other.sourceID == contact.sourceID && other.id > contact.id && !named.contains(other.id)
                    && !named.contains(contact.id)
                {
                    let got = other.operatorID != nil && before.contacts[other.id]?.operatorID == nil
                    #expect(!got || other.status == .closed, "seed \(seed): \(other.id) overtook \(contact.id)")
                }
            }
        }
    }

    @Test("Each change has an answer or an admission that explains it")
    func explained() {
        for seed in UInt64(1)...2000 {
            var world = World(seed: seed, operatorsOfSource: 0...4)
            let batch = world.randomBatch()
            let decision = decide(batch, world.snapshot(for: batch), ids: world.ids(for: batch), seed: seed)
            var answered: [ContactID: ContactDetails] = [:]
            for case .success(.contact(let details)) in decision.answers { answered[details.contact.id] = details }
            let changes = decision.changes
            for contact in changes.addedContacts {
                #expect(answered[contact.id]?.contact == contact, "seed \(seed)")
            }
            for move in changes.moves {
                // What is refused changes nothing, but it may be let in.
                if let details = answered[move.id] {
                    #expect(details.contact.operatorID == move.operatorID && details.contact.status == move.status)
                } else {
                    let waited = world.contacts[move.id]!
                    #expect(waited.status == .active && waited.operatorID == nil && move.operatorID != nil)
                    #expect(move.message == nil)
                }
            }
            #expect(changes.admitted == changes.moves.count { !batch.contacts.contains($0.id) })
            let shown = Set(answered.values.map(\.lead.id))
            #expect(changes.addedLeads.allSatisfy { shown.contains($0.id) })
            #expect(changes.filledLeads.allSatisfy { shown.contains($0.id) })
        }
    }

    /// An answer without the records in it, which show the state at the end of the transaction.
    private func kind(_ answer: Result<AssignmentOutcome, CRMError>) -> String {
        switch answer {
        case .failure(let error): "\(error)"
        case .success(.contact(let details)): "contact \(details.contact.id) \(details.contact.status)"
        case .success(let outcome): "\(outcome)"
        }
    }
}

/// A small database as a value.
private struct World {
    var random: SplitMix64
    var operators: [OperatorID: Operator] = [:]
    var shares: [SourceID: [Desk.Share]] = [:]
    var sources: [SourceID: Source] = [:]
    var leads: [LeadID: Lead] = [:]
    var contacts: [ContactID: Contact] = [:]
    private var nextContact: Int64 = 1000
    private let now = Timestamp(microsecondsSince2000: 5)

    init(seed: UInt64, operatorsOfSource: ClosedRange<Int>) {
        random = SplitMix64(seed: seed)
        let start = Timestamp(microsecondsSince2000: 1)
        for id in Int64(1)...4 {
            operators[OperatorID(id)] = Operator(
                id: OperatorID(id), name: "o", isActive: Int.random(in: 0..<5, using: &random) > 0,
                maxLoad: .random(in: 1...5, using: &random), currentLoad: 0, createdAt: start, updatedAt: nil)
            sources[SourceID(id)] = Source(id: SourceID(id), name: "s\(id)", description: nil, createdAt: start)
            let count = Int.random(in: operatorsOfSource, using: &random)
            shares[SourceID(id)] = (Int64(1)...4).shuffled(using: &random).prefix(count)
                .map { Desk.Share(operatorID: OperatorID($0), weight: .random(in: 1...9, using: &random)) }
        }
        leads[LeadID(1)] = Lead(
            id: LeadID(1), identity: LeadIdentity(externalID: nil, phone: "1", email: nil), name: nil, createdAt: start,
            updatedAt: nil)
        for id in Int64(1)...20 {
            let holder = operators[OperatorID(.random(in: 1...4, using: &random))]!
            let isActive = Int.random(in: 0..<3, using: &random) > 0
            let isGiven = Bool.random(using: &random) && (!isActive || holder.currentLoad < holder.maxLoad)
            contacts[ContactID(id)] = Contact(
                id: ContactID(id), leadID: LeadID(1), sourceID: SourceID(.random(in: 1...4, using: &random)),
                operatorID: isGiven ? holder.id : nil, status: isActive ? .active : .closed, message: nil,
                createdAt: start, updatedAt: nil)
            if isGiven, isActive { operators[holder.id]!.currentLoad += 1 }
        }
    }

    var waiting: [Contact] { contacts.values.filter { $0.status == .active && $0.operatorID == nil } }

    func hasRoom(at source: SourceID) -> Bool {
        shares[source]!.contains { operators[$0.operatorID]!.isActive && room($0.operatorID) > 0 }
    }

    private func room(_ id: OperatorID) -> Int32 { operators[id]!.maxLoad - operators[id]!.currentLoad }

    mutating func randomBatch() -> Batch {
        var named = contacts.keys.sorted().shuffled(using: &random)[...]
        return Batch(
            (0..<Int.random(in: 1...15, using: &random)).map { _ in
                if Bool.random(using: &random) {
                    let identifiers = [nil, "1", "2", "3"]
                    return .register(
                        NewContact(
                            sourceID: SourceID(.random(in: 1...5, using: &random)),
                            identity: LeadIdentity(
                                externalID: identifiers.randomElement(using: &random)!,
                                phone: identifiers.randomElement(using: &random)!,
                                email: identifiers.randomElement(using: &random)!), leadName: nil, message: "m"))
                }
                let isTransfer = Int.random(in: 0..<3, using: &random) == 0
                return .updateContact(
                    named.removeFirst(),
                    ContactPatch(
                        status: [nil, .active, .closed].randomElement(using: &random)!,
                        operatorID: isTransfer ? OperatorID(.random(in: 1...5, using: &random)) : nil,
                        message: [nil, "n"].randomElement(using: &random)!))
            })
    }

    /// The snapshot of everything; a transaction reads less, but leaves out nothing that matters.
    func snapshot(for batch: Batch) -> Snapshot {
        var snapshot = Snapshot(now: now)
        snapshot.operators = operators
        snapshot.shares = shares
        snapshot.sources = sources
        snapshot.leads = leads.values.sorted { $0.id < $1.id }
        for contact in waiting {
            snapshot.waiting[contact.id] = Desk.Placement(
                sourceID: contact.sourceID, operatorID: nil, isActive: true, priority: contact.priority)
        }
        for id in batch.contacts {
            let contact = contacts[id]!
            snapshot.contacts[id] = Snapshot.NamedContact(
                contact: contact, lead: leads[contact.leadID]!, source: sources[contact.sourceID]!)
        }
        return snapshot
    }

    func ids(for batch: Batch) -> [NewIDs] {
        (0..<Int64(batch.registrations.count)).map {
            NewIDs(contact: ContactID(nextContact + $0), lead: LeadID(nextContact + $0))
        }
    }

    /// Does what the transaction writes, and what the triggers then do.
    mutating func apply(_ changes: Changes, registrations: Int) {
        nextContact += Int64(registrations)
        for lead in changes.addedLeads + changes.filledLeads { leads[lead.id] = lead }
        for move in changes.moves {
            contacts[move.id]!.operatorID = move.operatorID
            contacts[move.id]!.status = move.status
            if let message = move.message { contacts[move.id]!.message = message }
        }
        for contact in changes.addedContacts { contacts[contact.id] = contact }
        for id in operators.keys {
            let load = contacts.values.count { $0.operatorID == id && $0.status == .active }
            operators[id]!.currentLoad = Int32(load)
        }
    }
}
