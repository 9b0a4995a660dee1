public import Model

/// Everything that changes a load, or may let waiting contacts in. It goes through the lane.
public enum AssignmentCommand: Sendable {
    case register(NewContact)
    case updateContact(ContactID, ContactPatch)
    /// Places an active contact anew.
    case requeue(ContactID)
    /// Takes these contacts from an operator.
    case release(OperatorID, [ContactID])
    case updateOperator(OperatorID, OperatorPatch)
    case setDistribution(SourceID, [WeightAssignment], replacing: Bool)
    /// Lets in who still waits at these sources though there is room: more did than one transaction lets in.
    case admitWaiting([SourceID])

    /// The contacts that it names.
    var contacts: [ContactID] {
        switch self {
        case .updateContact(let id, _), .requeue(let id): [id]
        case .release(_, let ids): ids
        case .register, .updateOperator, .setDistribution, .admitWaiting: []
        }
    }

    var isRelease: Bool { if case .release = self { true } else { false } }

    /// Whether it changes who may take contacts.
    var changesStaff: Bool {
        switch self {
        case .updateOperator, .setDistribution: true
        case .register, .updateContact, .requeue, .release, .admitWaiting: false
        }
    }
}

/// What became of an ``AssignmentCommand``.
public indirect enum AssignmentOutcome: Sendable, Equatable {
    case contact(ContactDetails)
    case `operator`(Operator)
    case weights([OperatorSourceWeight])
    case released(Release)
    case admission
    /// The answer that is kept under the request's key; without an outcome it was kept before.
    case kept(KeptAnswer, AssignmentOutcome?)
}
