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
    /// Drawn before the transaction, so that another attempt decides alike on a like state.
    private let seed: UInt64
    private let usesGate: Bool
    /// Some number of contacts that one transaction lets in at most, so that others do not wait long for it.
    private static let admissionLimit: Int64 = 2000

    /// - Parameter usesGate: Whether to queue with other instances before the snapshot is taken.
    public init(_ batch: Batch = Batch(), usesGate: Bool) {
        id = (.random(in: .min ... .max), .random(in: .min ... .max))
        seed = .random(in: .min ... .max)
        self.batch = batch
        self.usesGate = usesGate
    }

    /// What is known when the gate opens.
    public struct Opening {
        fileprivate let now: Timestamp
        fileprivate let someoneWaits: Bool
    }

    /// Begins the transaction and waits at the gate. Nothing depends on the commands yet: whatever has come by the
    /// time the gate opens can share the transaction.
    ///
    /// - Parameter timeLimit: How long the gate and each statement may take, and the instance then stand still.
    /// - Throws: ``PostgresError``.
    public func begin(on connection: inout Connection, timeLimit: Duration) throws -> Opening {
        let milliseconds = max(1, Int64(timeLimit / .milliseconds(1)))
        let results = try connection.run(
            [
                AssignmentStatements.begin(), AssignmentStatements.gateLimit(milliseconds: milliseconds),
                // The instance takes moments between flights, and to roll back what took too long.
                AssignmentStatements.idleLimit(milliseconds: max(1000, milliseconds)),
            ]
                + (usesGate ? [AssignmentStatements.gate()] : [])
                + [AssignmentStatements.settings(.text(String(milliseconds))), AssignmentStatements.someoneWaits()])
        return Opening(
            now: try results[results.count - 2].first { try $0.next() }!,
            someoneWaits: try results[results.count - 1].first { try $0.next() }!)
    }

    /// Runs the first flight and decides. The transaction stays open.
    ///
    /// - Returns: The decision; what ``commit(_:lockLimit:attempt:on:)`` writes of it, `nil` if there is nothing to commit.
    /// - Throws: ``PostgresError``.
    public func decide(
        on connection: inout Connection, after opening: Opening
    ) throws -> (decision: Decision, writes: [Query]?) {
        var snapshot = Snapshot(now: opening.now)
        // A change of staff comes before all that is read, which so shows what it led to.
        let change = batch.staffChange.flatMap(StaffChange.init)
        if let change {
            let results = try connection.run(change.queries)
            if let refusal = try change.refusal(in: results) {
                return (Decision(answers: [.failure(refusal)], changes: Changes()), nil)
            }
            snapshot.weights = try change.weights(in: results)
        }
        if opening.someoneWaits { try readWaiting(into: &snapshot, on: &connection) }
        let ids = try read(into: &snapshot, on: &connection)
        let decision = Assignment.decide(batch, snapshot, ids: ids, seed: seed)
        return (decision, decision.changes.isEmpty && change == nil ? nil : decision.changes.queries)
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
        let limit = AssignmentStatements.rowLockLimit(.text(String(max(1, Int64(lockLimit / .milliseconds(1))))))
        let mark = BatchStatements.mark(.uuid(high: id.high, low: id.low), .int4(attempt))
        let results = try connection.run([limit] + writes + [mark, AssignmentStatements.commit()], committing: true)
        guard results.last?.commandTag == "COMMIT" else { throw PostgresError.decoding("COMMIT was not carried out") }
    }

    /// Which attempt of the batch is durable; `nil`: none, so far.
    public func committedAttempt(on connection: inout Connection) throws -> Int32? {
        try connection.run(BatchStatements.committedAttempt(.uuid(high: id.high, low: id.low))).first { try $0.next() }
    }

    // MARK: - Reading

    private var contactIDs: Parameter { .int8Array(batch.contacts.map(\.rawValue)) }
    private var operatorIDs: Parameter { .int8Array(batch.operators.map(\.rawValue)) }

    private func readWaiting(into snapshot: inout Snapshot, on connection: inout Connection) throws {
        /// Answers the share of a source: how many contacts of each were asked for.
        func take(_ query: Query) throws -> Int64 {
            var counts: [SourceID: Int64] = [:]
            var share: Int64 = 0
            snapshot.unread = [:]
            _ = try connection.run(query).map { row in
                let (id, source) = (try row.next(ContactID.self), try row.next(SourceID.self))
                share = try row.next()
                snapshot.waiting[id] = source
                counts[source, default: 0] += 1
                // One more than the share: it comes last, as the rows of a source are in id order.
                if counts[source]! > share { snapshot.unread[source] = id }
            }
            return share
        }
        let share = try take(
            AssignmentStatements.waiting(
                .int8Array(batch.sources.map(\.rawValue)), contactIDs, operatorIDs, .int8(Int64(batch.commands.count)),
                .int8(Self.admissionLimit)))
        // Where nearly all wait at few of the sources, those get what the others did not use.
        let larger = Self.admissionLimit / Int64(max(1, snapshot.unread.count))
        guard !snapshot.unread.isEmpty, larger > 2 * share else { return }
        let sources = Parameter.int8Array(snapshot.unread.keys.map(\.rawValue))
        _ = try take(AssignmentStatements.waitingLonger(sources, .int8(larger)))
    }

    private func read(into snapshot: inout Snapshot, on connection: inout Connection) throws -> [NewIDs] {
        let sourceIDs = Parameter.int8Array(batch.sources.union(snapshot.waiting.values).map(\.rawValue))
        var queries = [
            AssignmentStatements.candidates(sourceIDs, contactIDs, operatorIDs),
            AssignmentStatements.sources(sourceIDs),
        ]
        if !batch.contacts.isEmpty { queries.append(AssignmentStatements.contacts(contactIDs)) }
        let registrations = batch.registrations.map(\.identity)
        if !registrations.isEmpty {
            queries += [
                AssignmentStatements.leads(
                    .distinct(registrations.compactMap(\.externalID)), .distinct(registrations.compactMap(\.phone)),
                    .distinct(registrations.compactMap(\.email))),
                AssignmentStatements.reserveIDs(.int4(Int32(registrations.count))),
            ]
        }
        var results = try connection.run(queries).makeIterator()
        _ = try results.next()!.map { row in
            let candidate = try Operator(&row)
            snapshot.operators[candidate.id] = candidate
            for (source, weight) in zip(try row.next([Int64].self), try row.next([Int32].self)) where weight > 0 {
                snapshot.shares[SourceID(source), default: []].append(
                    Desk.Share(operatorID: candidate.id, weight: weight))
            }
        }
        for source in try results.next()!.map({ try Source(&$0) }) { snapshot.sources[source.id] = source }
        if !batch.contacts.isEmpty {
            for named in try results.next()!.map({ row in
                Snapshot.NamedContact(contact: try Contact(&row), lead: try Lead(&row), source: try Source(&row))
            }) { snapshot.contacts[named.contact.id] = named }
        }
        guard !registrations.isEmpty else { return [] }
        snapshot.leads = try results.next()!.map { try Lead(&$0) }
        return try results.next()!.map { NewIDs(contact: try $0.next(), lead: try $0.next()) }
    }
}

extension Parameter {
    /// Texts that differ for PostgreSQL, each once.
    fileprivate static func distinct(_ texts: [String]) -> Self {
        .textArray(Set(texts.map(Bytewise.init)).map(\.text))
    }
}

/// A command that changes who may take contacts. Its statements run in the first flight, before the reads, which so
/// see the change and find those who wait for it.
private struct StaffChange {
    private let command: AssignmentCommand
    let queries: [Query]

    init?(_ command: AssignmentCommand) {
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
            queries =
                [
                    AssignmentStatements.sources(.int8Array([id.rawValue])),
                    AssignmentStatements.missingOperators(operatorIDs),
                    AssignmentStatements.setWeights(source, operatorIDs, .int4Array(weights.map(\.weight))),
                ] + (replacing ? [AssignmentStatements.removeOtherWeights(source, operatorIDs)] : [])
        }
    }

    /// Why nothing was changed; `nil` if all was.
    func refusal(in results: [QueryResult]) throws -> CRMError? {
        if case .updateOperator(let id, _) = command {
            return results[0].affectedRows == 0 ? .operatorNotFound(id) : nil
        }
        if case .setDistribution(let id, _, _) = command, results[0].count == 0 { return .sourceNotFound(id) }
        return try results[1].first { .operatorNotFound(try $0.next()) }
    }

    /// The weights that were set.
    func weights(in results: [QueryResult]) throws -> [OperatorSourceWeight] {
        guard case .setDistribution = command else { return [] }
        return try results[2].map { try OperatorSourceWeight(&$0) }
    }
}

extension Changes {
    /// The statements that write the changes, in the order in which they run.
    fileprivate var queries: [Query] {
        var queries: [Query] = []
        if !changedLoads.isEmpty {
            queries.append(AssignmentStatements.lockOperators(.int8Array(changedLoads.map(\.rawValue))))
        }
        for (leads, statement) in [
            (addedLeads, AssignmentStatements.insertLeads), (filledLeads, AssignmentStatements.fillLeads),
        ] where !leads.isEmpty {
            queries.append(
                statement(
                    .int8Array(leads.map(\.id.rawValue)), .textArray(leads.map(\.identity.externalID)),
                    .textArray(leads.map(\.identity.phone)), .textArray(leads.map(\.identity.email)),
                    .textArray(leads.map(\.name))))
        }
        // First places become free, then they are taken.
        if !moves.isEmpty {
            queries.append(
                AssignmentStatements.updateContacts(
                    .int8Array(moves.map(\.id.rawValue)), .int8Array(moves.map(\.operatorID?.rawValue)),
                    .textArray(moves.map(\.status.rawValue)), .textArray(moves.map(\.message))))
        }
        if !addedContacts.isEmpty {
            queries.append(
                AssignmentStatements.insertContacts(
                    .int8Array(addedContacts.map(\.id.rawValue)), .int8Array(addedContacts.map(\.leadID.rawValue)),
                    .int8Array(addedContacts.map(\.sourceID.rawValue)),
                    .int8Array(addedContacts.map(\.operatorID?.rawValue)), .textArray(addedContacts.map(\.message))))
        }
        return queries
    }
}
