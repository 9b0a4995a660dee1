public import Model

/// Commands that share a transaction: none names a contact that another one names, and a change of staff goes alone.
public struct Batch: Sendable {
    public private(set) var commands: [AssignmentCommand] = []
    /// What the commands register, in their order.
    public private(set) var registrations: [NewContact] = []
    /// The contacts that commands name, in their order.
    public private(set) var contacts: [ContactID] = []
    /// The sources that commands name.
    public private(set) var sources: Set<SourceID> = []
    /// The operators that commands name.
    public private(set) var operators: Set<OperatorID> = []
    private var namedContacts: Set<ContactID> = []

    public init() {}

    /// The longest beginning of the commands that can share a transaction.
    public init(_ commands: some Sequence<AssignmentCommand>) {
        for command in commands { guard add(command) else { return } }
    }

    /// The batch without the commands of these indices.
    public func without(_ indices: [Int]) -> Batch {
        indices.isEmpty ? self : Batch(commands.indices.filter { !indices.contains($0) }.map { commands[$0] })
    }

    /// The command that changes who may take contacts. Then there is no other.
    public var staffChange: AssignmentCommand? { commands.first.flatMap { $0.changesStaff ? $0 : nil } }

    /// Adds a command, if the batch can hold it.
    ///
    /// - Returns: Whether it was added.
    public mutating func add(_ command: AssignmentCommand) -> Bool {
        guard commands.isEmpty || !command.changesStaff && staffChange == nil else { return false }
        switch command {
        case .register(let contact):
            registrations.append(contact)
            sources.insert(contact.sourceID)
        case .updateContact(let id, let patch):
            guard namedContacts.insert(id).inserted else { return false }
            contacts.append(id)
            if let operatorID = patch.operatorID { operators.insert(operatorID) }
        case .updateOperator(let id, _): operators.insert(id)
        case .setDistribution(let id, _, _): sources.insert(id)
        case .admitWaiting(let ids): sources.formUnion(ids)
        }
        commands.append(command)
        return true
    }
}
