public import Model

extension Desk {
    /// A wish to change where a contact stands.
    public enum Change: Sendable, Equatable {
        /// A new contact under an id that nobody has yet. `preferring` gets it, if the source is theirs and they have room.
        case register(ContactID, SourceID, priority: Int32 = 0, preferring: OperatorID? = nil)
        /// Closes (`isActive` false) or reopens (true) a contact, or transfers it to `operatorID`, or both, and moves it in
        /// the queue; `nil` leaves that as it is.
        case update(ContactID, isActive: Bool?, operatorID: OperatorID?, priority: Int32? = nil)
        /// Places an active contact anew, with another operator if it may have one.
        case requeue(ContactID)
    }

    /// Why a change was refused; nothing changed.
    public enum Refusal: Error, Sendable, Equatable {
        case contactNotFound
        case contactClosed
        case operatorNotFound
        case operatorInactive
        case operatorFull
        /// The operator holds as many contacts of the source as the weight allows.
        case shareFull
    }

    /// Carries out a change. A place that it frees goes to the first who waits for it, before the next change.
    ///
    /// - Parameter change: It names no contact that another one named.
    /// - Returns: Where the contact stands after it, or why it was refused. A contact that was left waiting may be let in
    ///   by a later one: ``placements`` tells how all ended.
    public mutating func carryOut(_ change: Change) -> Result<Placement, Refusal> {
        Result { () throws(Refusal) in try apply(change) }
    }

    private mutating func apply(_ change: Change) throws(Refusal) -> Placement {
        switch change {
        case .register(let contact, let source, let priority, let preferred):
            placements[contact] = Placement(sourceID: source, operatorID: nil, isActive: true, priority: priority)
            place(contact, preferring: preferred, because: .registered)
        case .update(let contact, let isActive, let operatorID, let priority):
            guard let placement = placements[contact] else { throw .contactNotFound }
            let willBeActive = isActive ?? placement.isActive
            if let operatorID {
                guard willBeActive else { throw .contactClosed }
                try transfer(contact, from: placement, to: operatorID)
            }
            placements[contact]!.priority = priority ?? placement.priority
            if operatorID != nil { break }
            if willBeActive != placement.isActive {
                if willBeActive { reopen(contact, from: placement) } else { close(contact, from: placement) }
            } else if placement.isWaiting, placements[contact] != placement {
                place(contact, because: .sweep)
            }
        case .requeue(let contact): try requeue(contact)
        }
        return placements[change.contact]!
    }

    private mutating func transfer(
        _ contact: ContactID, from placement: Placement, to operatorID: OperatorID
    ) throws(Refusal) {
        if placement.isActive, placement.operatorID == operatorID { return }
        guard let capacity = capacities[operatorID] else { throw .operatorNotFound }
        guard capacity.isActive else { throw .operatorInactive }
        guard capacity.isAvailable else { throw .operatorFull }
        guard hasShareRoom(operatorID, at: placement.sourceID) else { throw .shareFull }
        placements[contact]!.isActive = true
        give(contact, to: operatorID, by: .name, because: .transfer)
        if placement.isActive, let former = placement.operatorID {
            free(former, of: placement.sourceID, because: .transfer)
        }
    }

    private mutating func reopen(_ contact: ContactID, from placement: Placement) {
        placements[contact]!.isActive = true
        if let former = placement.operatorID, mayTake(former, for: contact) {
            return give(contact, to: former, by: .name, because: .reopen)
        }
        placements[contact]!.operatorID = nil
        place(contact, because: .reopen)
    }

    private mutating func close(_ contact: ContactID, from placement: Placement) {
        placements[contact]!.isActive = false
        if let former = placement.operatorID { free(former, of: placement.sourceID, because: .close) }
    }
}

extension Desk.Change {
    var contact: ContactID {
        switch self {
        case .register(let contact, _, _, _), .update(let contact, _, _, _), .requeue(let contact): contact
        }
    }
}
