import Distribution
import Postgres

/// A batch of commands in one SERIALIZABLE transaction. Once it is through the gate, it takes two flights: the first
/// reads and locks what the commands concern, the second writes the plan made of it and commits. If contacts wait, one
/// more comes before them, which reads whom the batch may let in.
package struct AssignmentTransaction: Sendable {
    /// Names the batch in `assignment_batches`, the same for every attempt.
    let id: (high: UInt64, low: UInt64)
    /// Either registrations and updates of contacts, or a single other command.
    var commands: [Command]
    /// Drawn before the transaction, so that another attempt decides alike on a like state.
    let seed: UInt64
    let usesGate: Bool
    /// Some number of contacts that one transaction lets in at most, so that others do not wait long for it.
    let admissionLimit: Int64

    package init(_ commands: [Command], usesGate: Bool, admissionLimit: Int64 = 2000) {
        id = (.random(in: .min ... .max), .random(in: .min ... .max))
        seed = .random(in: .min ... .max)
        self.commands = commands
        self.usesGate = usesGate
        self.admissionLimit = admissionLimit
    }

    /// What the first flight led to.
    package struct Plan {
        /// One for each command, true once the second flight committed.
        package let answers: [Result<Outcome, CRMError>]
        /// `nil` if there is nothing to commit.
        package let writes: [Query]?
        /// How many contacts that waited get an operator.
        var admitted = 0
        /// Sources at which contacts are left waiting for another transaction, though there is room.
        var backlog: Set<SourceID> = []
    }

    /// What is known when the gate opens.
    package struct Opening {
        let now: Timestamp
        let someoneWaits: Bool
    }

    /// Begins the transaction and waits at the gate. Nothing depends on the commands yet: whatever has come by the
    /// time the gate opens can share the transaction.
    ///
    /// - Parameter timeLimit: How long the gate and each statement may take, and the instance then stand still.
    /// - Throws: ``PostgresError``.
    package func begin(on connection: inout Connection, timeLimit: Duration) throws -> Opening {
        let milliseconds = max(1, Int64(timeLimit / .milliseconds(1)))
        let results = try connection.run(
            [AssignmentStatements.begin()] + AssignmentStatements.timeLimits(milliseconds: milliseconds)
                + (usesGate ? [AssignmentStatements.gate()] : [])
                + [AssignmentStatements.settings(.text(String(milliseconds))), AssignmentStatements.someoneWaits()])
        return Opening(
            now: try results[results.count - 2].first { try $0.next() }!,
            someoneWaits: try results[results.count - 1].first { try $0.next() }!)
    }

    /// Runs the first flight and makes the plan. The transaction stays open.
    ///
    /// - Throws: ``PostgresError``.
    package func plan(on connection: inout Connection, after opening: Opening) throws -> Plan {
        let names = Names(commands)
        var state = State(now: opening.now, seed: seed)
        let contactIDs = Parameter.int8Array(names.contacts.map(\.rawValue))
        let operatorIDs = Parameter.int8Array(names.operators.map(\.rawValue))

        // A change comes before all that is read, which so shows what it led to.
        let change = commands.first.flatMap(ConfigurationChange.init)
        let changeResults = try change.map { try connection.run($0.queries) } ?? []
        if let refusal = try change?.refusal(in: changeResults) {
            return Plan(answers: [.failure(refusal)], writes: nil)
        }
        if opening.someoneWaits {
            try state.readWaiting(
                connection.run(
                    AssignmentStatements.waiting(
                        .int8Array(names.sources.map(\.rawValue)), contactIDs, operatorIDs,
                        .int8(Int64(commands.count)), .int8(admissionLimit))))
        }

        var flight = Flight()
        let sourceIDs = Parameter.int8Array(
            names.sources.union(state.placements.values.map(\.sourceID)).map(\.rawValue))
        let contacts = names.contacts.isEmpty ? nil : flight.add(AssignmentStatements.contacts(contactIDs))
        let candidates = flight.add(AssignmentStatements.candidates(sourceIDs, contactIDs, operatorIDs))
        let sources = flight.add(AssignmentStatements.sources(sourceIDs))
        let registrations = names.registrations.map(\.identity)
        let leads =
            registrations.isEmpty
            ? nil
            : flight.add(
                AssignmentStatements.leads(
                    .distinct(registrations.compactMap(\.externalID)), .distinct(registrations.compactMap(\.phone)),
                    .distinct(registrations.compactMap(\.email))))
        let reserved =
            registrations.isEmpty
            ? nil : flight.add(AssignmentStatements.reserveIDs(.int4(Int32(registrations.count))))

        let results = try connection.run(flight.queries)
        if let contacts { try state.readContacts(results[contacts]) }
        try state.readCandidates(results[candidates])
        try state.readSources(results[sources])
        if let leads { state.leads = LeadBook(try results[leads].map { try Lead(&$0) }) }
        let ids =
            try reserved.map { try results[$0].map { (ContactID(try $0.next()), LeadID(try $0.next())) } } ?? []
        return try state.plan(commands, ids: ids, change: change, changeResults: changeResults)
    }

    /// Runs the second flight.
    ///
    /// - Parameters:
    ///   - lockLimit: How long it may wait for a row that somebody else has locked.
    ///   - attempt: What to tell this run of the batch by, should its outcome become unknown.
    /// - Throws: ``PostgresError``; with ``PostgresError/commitOutcomeUnknown(_:)`` the transaction may be durable.
    package func commit(
        _ writes: [Query], lockLimit: Duration = .milliseconds(100), attempt: Int32, on connection: inout Connection
    ) throws {
        let limit = AssignmentStatements.rowLockLimit(.text(String(max(1, Int64(lockLimit / .milliseconds(1))))))
        let mark = AssignmentStatements.markBatch(.uuid(high: id.high, low: id.low), .int4(attempt))
        let results = try connection.run([limit] + writes + [mark, AssignmentStatements.commit()], committing: true)
        guard results.last?.commandTag == "COMMIT" else { throw PostgresError.decoding("COMMIT was not carried out") }
    }

    /// Which attempt of the batch is durable; `nil`: none, so far.
    func committedAttempt(on connection: inout Connection) throws -> Int32? {
        try connection.run(AssignmentStatements.committedAttempt(.uuid(high: id.high, low: id.low)))
            .first { try $0.next() }
    }
}

extension Parameter {
    /// Texts that differ for PostgreSQL, each once.
    fileprivate static func distinct(_ texts: [String]) -> Self {
        .textArray(Set(texts.map(Bytewise.init)).map(\.text))
    }
}

/// Queries that are sent together, and where each one's result will be.
private struct Flight {
    private(set) var queries: [Query] = []

    @discardableResult
    mutating func add(_ query: Query) -> Int {
        queries.append(query)
        return queries.count - 1
    }
}

/// The records that the commands of a batch name.
private struct Names {
    var registrations: [NewContact] = []
    var sources: Set<SourceID> = []
    var contacts: [ContactID] = []
    var operators: Set<OperatorID> = []

    init(_ commands: [Command]) {
        for command in commands {
            switch command {
            case .register(let contact):
                registrations.append(contact)
                sources.insert(contact.sourceID)
            case .updateContact(let id, let patch):
                contacts.append(id)
                if let operatorID = patch.operatorID { operators.insert(operatorID) }
            case .updateOperator(let id, _): operators.insert(id)
            case .setDistribution(let id, _, _): sources.insert(id)
            case .admitWaiting(let ids): sources.formUnion(ids)
            }
        }
    }
}

/// A command that changes who may take contacts. Its statements run in the first flight, before the reads, which so
/// see the change and find those who wait for it.
private struct ConfigurationChange {
    let command: Command
    let queries: [Query]

    init?(_ command: Command) {
        self.command = command
        switch command {
        case .register, .updateContact, .admitWaiting: return nil
        case .updateOperator(let id, let patch):
            queries = [
                AssignmentStatements.updateOperator(
                    .int8(id.rawValue), .text(patch.name), .bool(patch.isActive), .int4(patch.maxLoad))
            ]
        case .setDistribution(let id, let weights, let replacing):
            let operatorIDs = Parameter.int8Array(weights.map(\.operatorID.rawValue))
            let source = Parameter.int8(id.rawValue)
            var queries = [
                AssignmentStatements.sources(.int8Array([id.rawValue])),
                AssignmentStatements.missingOperators(operatorIDs),
                AssignmentStatements.setWeights(source, operatorIDs, .int4Array(weights.map(\.weight))),
            ]
            if replacing { queries.append(AssignmentStatements.removeOtherWeights(source, operatorIDs)) }
            self.queries = queries
        }
    }

    /// Why nothing was changed; `nil` if all was.
    func refusal(in results: [QueryResult]) throws -> CRMError? {
        switch command {
        case .register, .updateContact, .admitWaiting: return nil
        case .updateOperator(let id, _): return results[0].affectedRows == 0 ? .operatorNotFound(id) : nil
        case .setDistribution(let id, _, _):
            if results[0].count == 0 { return .sourceNotFound(id) }
            return try results[1].first { .operatorNotFound(try $0.next()) }
        }
    }
}

/// What the first flight saw, and the plan made of it.
private struct State {
    let now: Timestamp
    let seed: UInt64
    var operators: [OperatorID: Operator] = [:]
    var shares: [SourceID: [Desk.Share]] = [:]
    var placements: [ContactID: Desk.Placement] = [:]
    /// Sources at which more contacts wait than were read, each with the last one that was.
    var unread: [SourceID: ContactID] = [:]
    /// The contacts that commands name.
    var named: [ContactID: (contact: Contact, lead: Lead, source: Source)] = [:]
    var sources: [SourceID: Source] = [:]
    var leads = LeadBook([])

    init(now: Timestamp, seed: UInt64) {
        self.now = now
        self.seed = seed
    }

    mutating func readCandidates(_ result: QueryResult) throws {
        _ = try result.map { row in
            let candidate = try Operator(&row)
            operators[candidate.id] = candidate
            for (source, weight) in zip(try row.next([Int64].self), try row.next([Int32].self)) where weight > 0 {
                shares[SourceID(source), default: []].append(Desk.Share(operatorID: candidate.id, weight: weight))
            }
        }
    }

    mutating func readWaiting(_ result: QueryResult) throws {
        var counts: [SourceID: Int64] = [:]
        _ = try result.map { row in
            let (id, source) = (try row.next(ContactID.self), try row.next(SourceID.self))
            placements[id] = Desk.Placement(sourceID: source, operatorID: nil, isActive: true)
            counts[source, default: 0] += 1
            // One more than the source's share: it comes last, as the rows of a source are in id order.
            if counts[source]! > (try row.next(Int64.self)) { unread[source] = id }
        }
    }

    mutating func readContacts(_ result: QueryResult) throws {
        _ = try result.map { row in
            let contact = try Contact(&row)
            named[contact.id] = (contact, try Lead(&row), try Source(&row))
            placements[contact.id] = Desk.Placement(
                sourceID: contact.sourceID, operatorID: contact.operatorID, isActive: contact.status == .active)
        }
    }

    mutating func readSources(_ result: QueryResult) throws {
        for source in try result.map({ try Source(&$0) }) { sources[source.id] = source }
    }

    mutating func plan(
        _ commands: [Command], ids: [(ContactID, LeadID)], change: ConfigurationChange?,
        changeResults: [QueryResult]
    ) throws -> AssignmentTransaction.Plan {
        var desk = Desk(
            capacities: operators.mapValues {
                Desk.Capacity(isActive: $0.isActive, maxLoad: $0.maxLoad, currentLoad: $0.currentLoad)
            }, shares: shares, placements: placements, unread: unread, seed: seed)

        var added: [Contact] = []
        var steps: [Step] = []
        var deskCommands: [Desk.Command] = []
        var reserved = ids.makeIterator()
        for command in commands {
            switch command {
            case .register(let new):
                let (id, leadID) = reserved.next()!
                guard sources[new.sourceID] != nil else {
                    steps.append(.refused(.sourceNotFound(new.sourceID)))
                    continue
                }
                added.append(
                    Contact(
                        id: id, leadID: leads.lead(for: new, newID: leadID, now: now), sourceID: new.sourceID,
                        operatorID: nil, status: .active, message: new.message, createdAt: now, updatedAt: nil))
                steps.append(.added(added.count - 1))
                deskCommands.append(.register(id, new.sourceID))
            case .updateContact(let id, let patch):
                steps.append(.updated(id, patch))
                deskCommands.append(
                    .change(id, isActive: patch.status.map { $0 == .active }, operatorID: patch.operatorID))
            case .admitWaiting: steps.append(.admission)
            case .updateOperator, .setDistribution: break
            }
        }
        var results = desk.carryOut(deskCommands).makeIterator()
        for index in added.indices { added[index].operatorID = desk.placements[added[index].id]!.operatorID }
        var changedLoads: [OperatorID] = []
        for (id, capacity) in desk.capacities where operators[id]!.currentLoad != capacity.currentLoad {
            operators[id]!.currentLoad = capacity.currentLoad
            changedLoads.append(id)
        }

        var messages: [ContactID: String] = [:]
        var answers: [Result<Outcome, CRMError>] = []
        for step in steps {
            switch step {
            case .refused(let error): answers.append(.failure(error))
            case .admission: answers.append(.success(.admission))
            case .added(let index):
                _ = results.next()
                let contact = added[index]
                answers.append(
                    .success(.contact(details(contact, leads.leads[contact.leadID]!, sources[contact.sourceID]!))))
            case .updated(let id, let patch):
                switch results.next()! {
                case .failure(let refusal): answers.append(.failure(CRMError(refusal, contact: id, patch)))
                case .success(let placement):
                    var (contact, lead, source) = named[id]!
                    if let message = patch.message, Bytewise(message) != contact.message.map(Bytewise.init) {
                        messages[id] = message
                    }
                    if placement != placements[id] || messages[id] != nil { contact.updatedAt = now }
                    contact.operatorID = desk.placements[id]!.operatorID
                    contact.status = placement.isActive ? .active : .closed
                    contact.message = messages[id] ?? contact.message
                    answers.append(.success(.contact(details(contact, lead, source))))
                }
            }
        }
        let moved = placements.filter { id, before in desk.placements[id] != before || messages[id] != nil }
            .keys.sorted()
        if let change { answers.append(.success(try outcome(of: change, changeResults))) }
        let writes = writes(
            added: added, moved: moved.map { ($0, desk.placements[$0]!, messages[$0]) }, changedLoads: changedLoads)
        return AssignmentTransaction.Plan(
            answers: answers, writes: writes.isEmpty && change == nil ? nil : writes,
            admitted: moved.count { named[$0] == nil }, backlog: desk.backlog)
    }

    private enum Step {
        case refused(CRMError)
        /// Index into the added contacts.
        case added(Int)
        case updated(ContactID, ContactPatch)
        case admission
    }

    private func details(_ contact: Contact, _ lead: Lead, _ source: Source) -> ContactDetails {
        ContactDetails(
            contact: contact, lead: lead, operator: contact.operatorID.flatMap { operators[$0] }, source: source)
    }

    private func outcome(of change: ConfigurationChange, _ results: [QueryResult]) throws -> Outcome {
        if case .updateOperator(let id, _) = change.command { return .operator(operators[id]!) }
        return .weights(try results[2].map { try OperatorSourceWeight(&$0) })
    }

    private func writes(
        added: [Contact], moved: [(id: ContactID, placement: Desk.Placement, message: String?)],
        changedLoads: [OperatorID]
    ) -> [Query] {
        var queries: [Query] = []
        if !changedLoads.isEmpty {
            queries.append(AssignmentStatements.lockOperators(.int8Array(changedLoads.map(\.rawValue))))
        }
        func write(_ leads: [Lead], by statement: Statement) {
            guard !leads.isEmpty else { return }
            queries.append(
                statement(
                    .int8Array(leads.map(\.id.rawValue)), .textArray(leads.map(\.identity.externalID)),
                    .textArray(leads.map(\.identity.phone)), .textArray(leads.map(\.identity.email)),
                    .textArray(leads.map(\.name))))
        }
        write(leads.added.sorted().map { leads.leads[$0]! }, by: AssignmentStatements.insertLeads)
        write(leads.filled.sorted().map { leads.leads[$0]! }, by: AssignmentStatements.fillLeads)
        if !moved.isEmpty {
            queries.append(
                AssignmentStatements.updateContacts(
                    .int8Array(moved.map(\.id.rawValue)), .int8Array(moved.map(\.placement.operatorID?.rawValue)),
                    .textArray(moved.map { ($0.placement.isActive ? ContactStatus.active : .closed).rawValue }),
                    .textArray(moved.map(\.message))))
        }
        if !added.isEmpty {
            queries.append(
                AssignmentStatements.insertContacts(
                    .int8Array(added.map(\.id.rawValue)), .int8Array(added.map(\.leadID.rawValue)),
                    .int8Array(added.map(\.sourceID.rawValue)), .int8Array(added.map(\.operatorID?.rawValue)),
                    .textArray(added.map(\.message))))
        }
        return queries
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
