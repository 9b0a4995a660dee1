public import Model

extension Desk {
    /// A wish to change where a contact stands.
    public enum Change: Sendable, Equatable {
        /// A new contact under an id that nobody has yet.
        case register(ContactID, SourceID)
        /// Closes (`isActive` false) or reopens (true) a contact, or transfers it to `operatorID`, or both; `nil`
        /// leaves that as it is.
        case update(ContactID, isActive: Bool?, operatorID: OperatorID?)
    }

    /// Why a change was refused; nothing changed.
    public enum Refusal: Error, Sendable, Equatable {
        case contactNotFound
        case contactClosed
        case operatorNotFound
        case operatorInactive
        case operatorFull
    }

    /// Carries out changes in order.
    ///
    /// Whoever waits although there is room is let in first, so that no new contact overtakes one that the same
    /// operator could take. A place that a change frees goes to the oldest who waits for it, before the next
    /// one.
    /// - Parameter changes: None names a contact that another one names.
    /// - Returns: For each change where its contact stands after it, or why it was refused. A contact that was
    ///   left waiting may be let in by a later one: ``placements`` tells how all ended.
    public mutating func carryOut(_ changes: [Change]) -> [Result<Placement, Refusal>] {
        admitWaiting()
        return changes.map { change in
            Result { () throws(Refusal) in try carryOut(change) }
        }
    }

    private mutating func carryOut(_ change: Change) throws(Refusal) -> Placement {
        switch change {
        case .register(let contact, let source):
            placements[contact] = Placement(sourceID: source, operatorID: nil, isActive: true)
            place(contact)
            return placements[contact]!
        case .update(let contact, let isActive, let operatorID):
            guard let placement = placements[contact] else { throw .contactNotFound }
            let willBeActive = isActive ?? placement.isActive
            if let operatorID {
                guard willBeActive else { throw .contactClosed }
                try transfer(contact, from: placement, to: operatorID)
            } else if willBeActive != placement.isActive {
                if willBeActive { reopen(contact, from: placement) } else { close(contact, from: placement) }
            }
            return placements[contact]!
        }
    }

    private mutating func transfer(
        _ contact: ContactID, from placement: Placement, to operatorID: OperatorID
    ) throws(Refusal) {
        if placement.isActive, placement.operatorID == operatorID { return }
        guard let capacity = capacities[operatorID] else { throw .operatorNotFound }
        guard capacity.isActive else { throw .operatorInactive }
        guard capacity.isAvailable else { throw .operatorFull }
        placements[contact]!.isActive = true
        give(contact, to: operatorID)
        if placement.isActive, let former = placement.operatorID { free(former) }
    }

    private mutating func reopen(_ contact: ContactID, from placement: Placement) {
        placements[contact]!.isActive = true
        if let former = placement.operatorID, isOpen(former) { return give(contact, to: former) }
        placements[contact]!.operatorID = nil
        place(contact)
    }

    private mutating func close(_ contact: ContactID, from placement: Placement) {
        placements[contact]!.isActive = false
        if let former = placement.operatorID { free(former) }
    }
}
