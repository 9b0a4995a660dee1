import Assignment
import Distribution
import Model
import Postgres

/// A command that changes who may take contacts. Its statements run in the first flight, before the reads, which so
/// see the change and find those who wait for it.
struct StaffChange {
    private let command: AssignmentCommand
    let queries: [Query]

    init?(_ command: AssignmentCommand) {
        self.command = command
        switch command {
        case .register, .updateContact, .requeue, .release, .admitWaiting: return nil
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
                    AssignmentStatements.setWeights(
                        source, operatorIDs, .int4Array(weights.map(\.weight)),
                        .int4Array(weights.map { $0.maxLoad ?? 0 })),
                ] + (replacing ? [AssignmentStatements.removeOtherWeights(source, operatorIDs)] : [])
        }
    }

    /// Why nothing was changed; `nil` if all was.
    func refusal(in results: [QueryResult]) throws -> CRMError? {
        if case .updateOperator(let id, _) = command {
            return results[0].count == 0 ? .operatorNotFound(id) : nil
        }
        if case .setDistribution(let id, _, _) = command, results[0].count == 0 { return .sourceNotFound(id) }
        return try results[1].first { .operatorNotFound(try $0.next()) }
    }

    /// Why there may be more room than before; `nil`: there is not.
    func cause(in results: [QueryResult]) throws -> ContactCause? {
        guard case .updateOperator = command else { return .distributionChanged }
        let (isActivated, isRaised) = try results[0].first { (try $0.next(Bool.self), try $0.next(Bool.self)) }!
        return isActivated ? .operatorActivated : isRaised ? .limitRaised : nil
    }

    /// The weights that were set.
    func weights(in results: [QueryResult]) throws -> [OperatorSourceWeight] {
        guard case .setDistribution = command else { return [] }
        return try results[2].map { try OperatorSourceWeight(&$0) }
    }
}

extension Decision {
    /// The statements that write what was decided, in the order in which they run.
    var queries: [Query] {
        let causes = changes.moves.filter { $0.cause != nil }
        if changes.addedContacts.isEmpty && causes.isEmpty { return changes.queries }
        let note = AssignmentStatements.note(
            .bytes(record?.bytes), .int8Array(causes.map(\.id.rawValue)), .textArray(causes.map(\.cause!.rawValue)))
        return [note] + changes.queries
    }
}

extension Changes {
    /// The statements that write the changes.
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
                    .textArray(moves.map(\.status.rawValue)), .textArray(moves.map(\.message)),
                    .int4Array(moves.map(\.priority))))
        }
        if !addedContacts.isEmpty {
            queries.append(
                AssignmentStatements.insertContacts(
                    .int8Array(addedContacts.map(\.id.rawValue)), .int8Array(addedContacts.map(\.leadID.rawValue)),
                    .int8Array(addedContacts.map(\.sourceID.rawValue)),
                    .int8Array(addedContacts.map(\.operatorID?.rawValue)), .textArray(addedContacts.map(\.message)),
                    .int4Array(addedContacts.map(\.priority))))
        }
        if !turns.isEmpty {
            queries.append(
                AssignmentStatements.rememberTurns(
                    .int8Array(turns.map(\.sourceID.rawValue)), .int8Array(turns.map(\.operatorID.rawValue)),
                    .int8Array(turns.map(\.turn.credit)),
                    .int8Array(turns.map(\.turn.givenAt?.microsecondsSince2000))))
        }
        return queries
    }
}
