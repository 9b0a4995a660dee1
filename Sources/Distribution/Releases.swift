public import Model

extension Desk {
    /// Takes contacts from an operator and gives each to another one, or lets it wait at its place in the queue. Until the
    /// end of the transaction nobody who waits gets this operator.
    ///
    /// - Parameter contacts: Those that are not the operator's active ones are passed over.
    /// - Returns: The others.
    public mutating func release(_ contacts: [ContactID], from operatorID: OperatorID) -> [ContactID] {
        close(operatorID)
        let held = contacts.filter { placements[$0].map { $0.isActive && $0.operatorID == operatorID } ?? false }
        for contact in held { takeBack(contact, from: operatorID, because: .release) }
        for contact in held.sorted(by: { queuePlace(of: $0) < queuePlace(of: $1) }) {
            place(contact, because: .release)
        }
        return held
    }

    /// Gives the operator nothing more but by a transfer.
    public mutating func close(_ operatorID: OperatorID) { closed.insert(operatorID) }

    /// Takes an active contact from its operator and places it anew. It comes back to the same one only if no other may have
    /// it, and nobody waits before it.
    mutating func requeue(_ contact: ContactID) throws(Refusal) {
        guard let placement = placements[contact] else { throw .contactNotFound }
        guard placement.isActive else { throw .contactClosed }
        guard let former = placement.operatorID else { return }
        takeBack(contact, from: former, because: .requeue)
        let wasOpen = closed.insert(former).inserted
        place(contact, because: .requeue)
        if wasOpen { closed.remove(former) }
        admitWaiting(for: former)
    }

    private mutating func takeBack(
        _ contact: ContactID, from operatorID: OperatorID, because cause: ContactCause
    ) {
        placements[contact]!.operatorID = nil
        unload(operatorID, of: placements[contact]!.sourceID, because: cause)
    }
}
