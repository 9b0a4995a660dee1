import Distribution
public import Model

/// Rows that somebody else keeps locked: a person in psql, a change that was left open. Pure.
///
/// Commands that would wait for one of them are left out of a transaction, as it must not wait with the gate in its hands.
public struct LockedRows: Sendable, Equatable, CustomStringConvertible {
    public var operators: Set<OperatorID> = []
    public var sources: Set<SourceID> = []
    public var leads: Set<LeadID> = []
    public var contacts: Set<ContactID> = []
    /// Sources of which it is known that these of the operators belong to them.
    public var sharing: [SourceID: Set<OperatorID>] = [:]

    public init() {}

    public var description: String {
        func words(_ name: String, _ ids: Set<some Hashable & Comparable>) -> String? {
            ids.isEmpty ? nil : "\(name) " + ids.sorted().map { "\($0)" }.joined(separator: ", ")
        }
        return [
            words("operators", operators), words("sources", sources), words("leads", leads),
            words("contacts", contacts),
        ].compactMap(\.self).joined(separator: "; ")
    }

    public var isEmpty: Bool { self == LockedRows() }

    public func isSuperset(of other: LockedRows) -> Bool {
        operators.isSuperset(of: other.operators) && sources.isSuperset(of: other.sources)
            && leads.isSuperset(of: other.leads) && contacts.isSuperset(of: other.contacts)
    }

    public mutating func formUnion(_ other: LockedRows) {
        operators.formUnion(other.operators)
        sources.formUnion(other.sources)
        leads.formUnion(other.leads)
        contacts.formUnion(other.contacts)
        sharing.merge(other.sharing) { $0.union($1) }
    }

    /// Forgets rows that are not among those that are locked still.
    public mutating func keep(_ still: LockedRows) {
        let sharing = sharing.mapValues { $0.intersection(still.operators) }.filter { !$0.value.isEmpty }
        self = still
        self.sharing = sharing
    }

    /// Whether the command would wait for one of the rows, as far as itself tells.
    public func obstruct(_ command: AssignmentCommand) -> Bool {
        switch command {
        case .register(let contact): isLocked(contact.sourceID)
        case .updateContact(let id, let patch):
            contacts.contains(id) || patch.operatorID.map(operators.contains) ?? false
        case .requeue(let id): contacts.contains(id)
        case .release(let id, let ids): operators.contains(id) || !contacts.isDisjoint(with: ids)
        case .updateOperator(let id, _): operators.contains(id)
        case .setDistribution(let id, let weights, _):
            sources.contains(id) || weights.contains { operators.contains($0.operatorID) }
        // Lets in elsewhere.
        case .admitWaiting: false
        }
    }

    /// Whether the command would wait for one of the rows, or concerns a source that has a locked operator: to pass that
    /// operator over would give the others more than their share.
    func obstruct(_ command: AssignmentCommand, in snapshot: Snapshot) -> Bool {
        if obstruct(command) { return true }
        switch command {
        case .register(let contact):
            return snapshot.leads.contains { leads.contains($0.id) && $0.identity.shares(with: contact.identity) }
        case .updateContact, .requeue, .release:
            return command.contacts.contains { id in
                guard let named = snapshot.contacts[id]?.contact else { return false }
                return named.operatorID.map(operators.contains) ?? false || isLocked(named.sourceID)
            }
        case .updateOperator, .setDistribution, .admitWaiting: return false
        }
    }

    private func isLocked(_ source: SourceID) -> Bool {
        sources.contains(source) || sharing[source].map { !operators.isDisjoint(with: $0) } ?? false
    }
}

extension LeadIdentity {
    fileprivate func shares(with other: LeadIdentity) -> Bool {
        func same(_ one: String?, _ other: String?) -> Bool {
            one != nil && one.map(Bytewise.init) == other.map(Bytewise.init)
        }
        return same(externalID, other.externalID) || same(phone, other.phone) || same(email, other.email)
    }
}

extension Snapshot {
    /// The indices of a batch's commands that would wait for one of the rows, whose ``LockedRows/sharing`` is to be known.
    public func obstructed(_ batch: Batch, by locked: LockedRows) -> [Int] {
        if locked.isEmpty { return [] }
        return batch.requests.indices.filter { locked.obstruct(batch.requests[$0].command, in: self) }
    }

    /// The sources that have a locked operator with room.
    public func sharing(_ locked: LockedRows) -> [SourceID: Set<OperatorID>] {
        let candidates = locked.operators.filter { id in
            operators[id].map { $0.isActive && $0.currentLoad < $0.maxLoad } ?? false
        }
        if candidates.isEmpty { return [:] }
        return shares.mapValues { candidates.intersection($0.map(\.operatorID)) }.filter { !$0.value.isEmpty }
    }

    /// Forgets what cannot be changed now, so that others are let in past it: a locked operator takes none of those who
    /// wait, and nobody who waits at a locked source, or is locked, is let in.
    public mutating func remove(_ locked: LockedRows) {
        if locked.isEmpty { return }
        for id in locked.operators { operators[id] = nil }
        shares = shares.mapValues { $0.filter { !locked.operators.contains($0.operatorID) } }
        contacts = contacts.filter { !locked.contacts.contains($0) && !locked.sources.contains($1.contact.sourceID) }
        waiting = waiting.filter { !locked.contacts.contains($0) && !locked.sources.contains($1.sourceID) }
        unread = unread.filter { !locked.sources.contains($0.key) }
    }
}
