public import Assignment
import Distribution
import Model
public import Postgres

/// A batch in one SERIALIZABLE transaction. Once it is through the gate, it takes two flights: the first reads what the
/// commands concern, the second locks and writes what was decided on it, and commits. If contacts wait, one more comes
/// before them, which reads whom the batch may let in.
public struct AssignmentTransaction: Sendable {
    /// Names the batch in `assignment_batches`, the same for every attempt.
    private let id: (high: UInt64, low: UInt64)
    public var batch: Batch
    /// What made room for those who wait at a source, where it is known.
    public var backlog: [SourceID: ContactCause] = [:]
    /// Drawn before the transaction, so that another attempt decides alike on a like state.
    private let seed: UInt64
    private let usesGate: Bool
    /// Some number of contacts that one transaction lets in at most, so that others do not wait long for it.
    private static let admissionLimit: Int64 = 2000

    /// The rows of the last decision, beyond those that commands name.
    private var changes = Changes()
    /// The sources of the contacts that commands name, as far as the last run of ``decide(on:after:avoiding:)`` came.
    public private(set) var sources: [ContactID: SourceID] = [:]

    /// - Parameter usesGate: Whether to queue with other instances before the snapshot is taken.
    public init(_ batch: Batch = Batch(), usesGate: Bool) {
        id = (.random(in: .min ... .max), .random(in: .min ... .max))
        seed = .random(in: .min ... .max)
        self.batch = batch
        self.usesGate = usesGate
    }

    public enum Isolation: String, Sendable {
        case serializable = "SERIALIZABLE"
        /// For use behind the gate alone, when PostgreSQL finds a transaction not serializable time and again. Others' batches
        /// then run before or after this one, and the locks on the rows that it changes keep everybody else to `max_load`.
        case repeatableRead = "REPEATABLE READ"
    }

    /// How long a transaction may wait, and take.
    public struct Limits: Sendable {
        /// For the gate.
        public var gate: Duration
        /// For each lock behind the gate. It is held meanwhile, so these are moments.
        public var lock: Duration
        /// For each statement; then the instance may stand still for as long.
        public var time: Duration

        public init(gate: Duration, lock: Duration = .milliseconds(100), time: Duration) {
            (self.gate, self.lock, self.time) = (gate, lock, time)
        }
    }

    /// What is known when the gate opens.
    public struct Opening {
        fileprivate let now: Timestamp
        fileprivate let clock: Timestamp
        fileprivate let someoneWaits: Bool
    }

    /// Begins the transaction and waits at the gate. Nothing depends on the commands yet: whatever has come by the
    /// time the gate opens can share the transaction.
    ///
    /// - Throws: ``PostgresError``; of the kind `locked` if the gate did not open in time.
    public func begin(
        _ isolation: Isolation = .serializable, on connection: inout Connection, limits: Limits
    ) throws -> Opening {
        var queries = [
            AssignmentStatements.begin(isolation), AssignmentStatements.limit("lock_timeout", limits.gate),
            // The instance takes moments between flights, and to roll back what took too long.
            AssignmentStatements.limit("idle_in_transaction_session_timeout", max(.seconds(1), limits.time)),
        ]
        if connection.serverVersion >= 170_000 {
            queries.append(AssignmentStatements.limit("transaction_timeout", limits.time + .seconds(1)))
        }
        queries += [
            usesGate ? AssignmentStatements.gate() : AssignmentStatements.openGate(),
            AssignmentStatements.settings(.milliseconds(limits.time), .milliseconds(limits.lock)),
            AssignmentStatements.someoneWaits(),
        ]
        let results = try connection.run(queries)
        let (now, clock) = try results[results.count - 2].first {
            (try $0.next(Timestamp.self), try $0.next(Timestamp.self))
        }!
        return Opening(
            now: now, clock: clock,
            someoneWaits: try results[results.count - 1].first { try $0.next() }!)
    }

    /// What was decided, and what is to be written of it.
    public struct Plan {
        public let decision: Decision
        /// The commands that were left out for locked rows, by their indices in the batch; there is no answer to them.
        public let obstructed: [Int]
        /// What was found of locked rows.
        public let locked: LockedRows
        /// `nil` if there is nothing to commit.
        public let writes: [Query]?
    }

    /// Runs the first flight and decides. The transaction stays open.
    ///
    /// - Parameter locked: What is not to be waited for; `nil`: everything is, and no command left out.
    /// - Throws: ``PostgresError``.
    public mutating func decide(
        on connection: inout Connection, after opening: Opening, avoiding locked: LockedRows? = LockedRows()
    ) throws -> Plan {
        changes = Changes()
        // What was done before is not done again. That is read with the rest, and without those requests the rest once more; but
        // for a change of staff, which comes before all reads.
        let whole = batch
        var lookup = KeyLookup(batch)
        var answered: [Int: Result<KeptAnswer, CRMError>] = [:]
        if batch.staffChange != nil, let keys = lookup {
            answered = try keys.answers(in: connection.run(keys.query))
            batch = whole.without(Set(answered.keys))
            lookup = nil
        }
        var snapshot = Snapshot(now: opening.now)
        snapshot.clock = opening.clock
        snapshot.backlog = backlog
        // A change of staff comes before all that is read, which so shows what it led to.
        let change = batch.staffChange.flatMap(StaffChange.init)
        if let change {
            let results = try connection.run(change.queries)
            if let refusal = try change.refusal(in: results) {
                let decision = Decision(answers: [.failure(refusal)], changes: changes)
                return Plan(decision: decision, obstructed: [], locked: LockedRows(), writes: nil)
            }
            snapshot.weights = try change.weights(in: results)
            snapshot.staffCause = try change.cause(in: results)
        }
        let blank = snapshot
        var ids: [NewIDs] = []
        repeat {
            snapshot = blank
            sources = [:]
            if opening.someoneWaits {
                try readWaiting(into: &snapshot, without: locked?.contacts ?? [], on: &connection)
            }
            ids = try read(
                into: &snapshot, waitingForContacts: locked == nil, lookup, &answered, on: &connection)
            batch = whole.without(Set(answered.keys))
        } while lookup.take() != nil && !answered.isEmpty
        var found = LockedRows()
        if let locked {
            found.contacts = Set(sources.keys).subtracting(snapshot.contacts.keys)
            found.sharing = snapshot.sharing(locked)
        }
        var avoided = locked ?? LockedRows()
        avoided.formUnion(found)
        let obstructed = Set(snapshot.obstructed(batch, by: avoided))
        snapshot.remove(avoided)
        let rest = batch.without(obstructed)
        var decision = Assignment.decide(rest, snapshot, ids: ids, seed: seed)
        changes = decision.changes
        let kept = decision.keepAnswers(to: rest)
        let open = whole.requests.indices.filter { answered[$0] == nil }
        decision.insert(answered, among: open.indices.filter { !obstructed.contains($0) }.map { open[$0] })
        // Whatever is acknowledged follows a COMMIT, which waits for what is acknowledged to be safe: also if another
        // transaction has made the change already.
        let isAcknowledging = decision.answers.contains { answer in
            switch answer {
            case .success(.admission), .failure: false
            case .success: true
            }
        }
        return Plan(
            decision: decision, obstructed: obstructed.map { open[$0] }, locked: found,
            writes: changes.isEmpty && !isAcknowledging
                ? nil : decision.queries + IdempotencyStatements.keep(kept))
    }

    /// Runs the second flight.
    ///
    /// - Parameters:
    ///   - lockLimit: How long it may wait for a row that somebody else has locked.
    ///   - attempt: What to tell this run of the batch by, should its outcome become unknown.
    /// - Throws: ``PostgresError``; with ``PostgresError/commitOutcomeUnknown(_:)`` the transaction may be durable.
    public func commit(
        _ writes: [Query], lockLimit: Duration = .milliseconds(100), attempt: Int32, on connection: inout Connection
    ) throws {
        let limit = AssignmentStatements.limit("lock_timeout", lockLimit)
        let mark = BatchStatements.mark(.uuid(high: id.high, low: id.low), .int4(attempt))
        let results = try connection.run([limit] + writes + [mark, AssignmentStatements.commit()], committing: true)
        guard results.last?.commandTag == "COMMIT" else { throw PostgresError.decoding("COMMIT was not carried out") }
    }

    /// Which attempt of the batch is durable; `nil`: none, so far.
    ///
    /// That it is there does not say that it is safe: with a synchronous standby its COMMIT may have been broken off while it
    /// waited for that. So a small write of its own is committed, whose wait covers all that was written before it.
    ///
    /// - Throws: ``PostgresError``.
    public func committedAttempt(on connection: inout Connection) throws -> Int32? {
        let found = BatchStatements.committedAttempt(.uuid(high: id.high, low: id.low))
        guard let attempt = try connection.run(found).first({ try $0.next(Int32.self) }) else { return nil }
        _ = try connection.run([BatchStatements.smallWrite], committing: true)
        return attempt
    }

    // MARK: - Who stands in the way

    /// The rows of the batch that somebody else has locked, as far as the last run of ``decide(on:after:avoiding:)`` came.
    /// Waits for none, but for the gate: beside it the rows of instances would be taken for locked, that have them for moments.
    ///
    /// - Throws: ``PostgresError``; of the kind `locked` if the gate does not open, or a table is locked.
    public func lockedRows(on connection: inout Connection) throws -> LockedRows {
        var rows = LockedRows()
        rows.operators = batch.operators.union(changes.changedLoads)
        rows.sources = batch.sources.union(changes.addedContacts.map(\.sourceID))
        rows.leads = Set(changes.addedContacts.map(\.leadID))
        rows.contacts = Set(batch.contacts).union(changes.moves.map(\.id))
        return try Self.locked(
            rows, filledLeads: changes.filledLeads.map(\.id), usesGate: usesGate, on: &connection)
    }

    /// Those of the rows that are locked still.
    ///
    /// - Throws: See ``lockedRows(on:)``.
    public static func locked(
        _ rows: LockedRows, filledLeads: [LeadID] = [], usesGate: Bool, on connection: inout Connection
    ) throws -> LockedRows {
        let ids = [
            rows.operators.map(\.rawValue), rows.sources.map(\.rawValue), rows.leads.map(\.rawValue),
            filledLeads.map(\.rawValue), rows.contacts.map(\.rawValue),
        ]
        let probes = zip(AssignmentStatements.lockedRows, ids).map { $0(.int8Array($1)) }
        let opening = [
            AssignmentStatements.beginReadCommitted(), AssignmentStatements.limit("lock_timeout", .milliseconds(500)),
            usesGate ? AssignmentStatements.gate() : AssignmentStatements.openGate(),
            AssignmentStatements.limit("lock_timeout", .milliseconds(10)),
        ]
        let results = try connection.run(opening + probes + [AssignmentStatements.endProbe()])
        func found<Subject>(_ number: Int) throws -> Set<ID<Subject>> {
            Set(try results[opening.count + number].map { try $0.next(ID<Subject>.self) })
        }
        var locked = LockedRows()
        locked.operators = try found(0)
        locked.sources = try found(1)
        locked.leads = try found(2).union(found(3))
        locked.contacts = try found(4)
        return locked
    }

    // MARK: - Reading

    private var contactIDs: Parameter { .int8Array(batch.contacts.map(\.rawValue)) }
    private var operatorIDs: Parameter { .int8Array(batch.operators.map(\.rawValue)) }

    private func readWaiting(
        into snapshot: inout Snapshot, without locked: Set<ContactID>, on connection: inout Connection
    ) throws {
        let locked = Parameter.int8Array(locked.map(\.rawValue))
        /// Answers the share of a source: how many contacts of each were asked for.
        func take(_ query: Query) throws -> Int64 {
            var counts: [SourceID: Int64] = [:]
            var share: Int64 = 0
            snapshot.unread = [:]
            _ = try connection.run(query).map { row in
                let (id, source) = (try row.next(ContactID.self), try row.next(SourceID.self))
                share = try row.next()
                let priority = try row.next(Int32.self)
                snapshot.waiting[id] = Desk.Placement(
                    sourceID: source, operatorID: nil, isActive: true, priority: priority)
                counts[source, default: 0] += 1
                // One more than the share: it comes last, as the rows of a source are in queue order.
                if counts[source]! > share { snapshot.unread[source] = QueuePlace(priority: priority, contact: id) }
            }
            return share
        }
        let share = try take(
            AssignmentStatements.waiting(
                .int8Array(batch.sources.map(\.rawValue)), contactIDs, operatorIDs, .int8(Int64(batch.requests.count)),
                .int8(Self.admissionLimit), locked))
        // Where nearly all wait at few of the sources, those get what the others did not use.
        let larger = Self.admissionLimit / Int64(max(1, snapshot.unread.count))
        guard !snapshot.unread.isEmpty, larger > 2 * share else { return }
        let sources = Parameter.int8Array(snapshot.unread.keys.map(\.rawValue))
        _ = try take(AssignmentStatements.waitingLonger(sources, .int8(larger), locked))
    }

    private mutating func read(
        into snapshot: inout Snapshot, waitingForContacts: Bool, _ lookup: KeyLookup?,
        _ answered: inout [Int: Result<KeptAnswer, CRMError>], on connection: inout Connection
    ) throws -> [NewIDs] {
        let sourceIDs = Parameter.int8Array(
            batch.sources.union(snapshot.waiting.values.map(\.sourceID)).map(\.rawValue))
        var queries = [
            AssignmentStatements.candidates(sourceIDs, contactIDs, operatorIDs),
            AssignmentStatements.sources(sourceIDs), AssignmentStatements.turns(sourceIDs, contactIDs),
        ]
        if !batch.contacts.isEmpty {
            let contacts = waitingForContacts ? AssignmentStatements.contacts : AssignmentStatements.freeContacts
            queries += [AssignmentStatements.sourcesOfContacts(contactIDs), contacts(contactIDs)]
        }
        let registrations = batch.registrations.map(\.identity)
        if !registrations.isEmpty {
            queries += [
                AssignmentStatements.leads(
                    .distinct(registrations.compactMap(\.externalID)), .distinct(registrations.compactMap(\.phone)),
                    .distinct(registrations.compactMap(\.email)), sourceIDs),
                AssignmentStatements.reserveIDs(.int4(Int32(registrations.count))),
            ]
        }
        if let lookup { queries.append(lookup.query) }
        var found = try connection.run(queries)
        if let lookup { answered = try lookup.answers(in: found.removeLast()) }
        var results = found.makeIterator()
        _ = try results.next()!.map { row in
            let candidate = try Operator(&row)
            snapshot.operators[candidate.id] = candidate
            let (sources, weights) = (try row.next([Int64].self), try row.next([Int32].self))
            for ((source, weight), room) in zip(zip(sources, weights), try row.next([Int32].self)) where weight > 0 {
                let share = Desk.Share(operatorID: candidate.id, weight: weight)
                snapshot.shares[SourceID(source), default: []].append(share)
                if room < .max { snapshot.rooms[SourceID(source), default: [:]][candidate.id] = room }
            }
        }
        for source in try results.next()!.map({ try Source(&$0) }) { snapshot.sources[source.id] = source }
        _ = try results.next()!.map { row in
            let (source, id) = (try row.next(SourceID.self), try row.next(OperatorID.self))
            snapshot.turns[source, default: [:]][id] = Desk.Turn(credit: try row.next(), givenAt: try row.next())
        }
        if !batch.contacts.isEmpty {
            for (id, source) in try results.next()!.map({ (try $0.next(ContactID.self), try $0.next(SourceID.self)) }) {
                sources[id] = source
            }
            for named in try results.next()!.map({ row in
                Snapshot.NamedContact(contact: try Contact(&row), lead: try Lead(&row), source: try Source(&row))
            }) { snapshot.contacts[named.contact.id] = named }
        }
        guard !registrations.isEmpty else { return [] }
        snapshot.leads = try results.next()!.map { row in
            let lead = try Lead(&row)
            if let contact = try row.next(ContactID?.self) {
                snapshot.lastContacts[lead.id] = (contact, try row.next())
            }
            return lead
        }
        return try results.next()!.map { NewIDs(contact: try $0.next(), lead: try $0.next()) }
    }
}

extension Parameter {
    fileprivate static func milliseconds(_ time: Duration) -> Self { .text(String(time.wholeMilliseconds)) }

    /// Texts that differ for PostgreSQL, each once.
    fileprivate static func distinct(_ texts: [String]) -> Self {
        .textArray(Set(texts.map(Bytewise.init)).map(\.text))
    }
}
