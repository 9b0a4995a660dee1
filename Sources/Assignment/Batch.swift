public import Model

/// A command, and what makes it count once if it may be sent again.
public struct AssignmentRequest: Sendable {
    public let command: AssignmentCommand
    public let idempotency: Idempotency<AssignmentOutcome>?

    public init(_ command: AssignmentCommand, _ idempotency: Idempotency<AssignmentOutcome>? = nil) {
        self.command = command
        self.idempotency = idempotency
    }
}

/// Commands that share a transaction: none names a contact that another one names, no two are the same request, and a
/// change of staff goes alone.
public struct Batch: Sendable {
    public private(set) var requests: [AssignmentRequest] = []
    /// What the commands register, in their order.
    public private(set) var registrations: [NewContact] = []
    /// The contacts that commands name, in their order.
    public private(set) var contacts: [ContactID] = []
    /// The sources that commands name.
    public private(set) var sources: Set<SourceID> = []
    /// The operators that commands name.
    public private(set) var operators: Set<OperatorID> = []
    private var namedContacts: Set<ContactID> = []
    /// The entries of each key.
    private var keys: [String: (fingerprint: String, entries: Set<Int32>)] = [:]

    public init() {}

    /// The longest beginning of the requests that can share a transaction.
    public init(_ requests: some Sequence<AssignmentRequest>) {
        for request in requests { guard add(request) else { return } }
    }

    /// The longest beginning of the commands that can share a transaction.
    public init(_ commands: some Sequence<AssignmentCommand>) {
        self.init(commands.lazy.map { AssignmentRequest($0) })
    }

    /// The batch without the requests of these indices.
    public func without(_ indices: Set<Int>) -> Batch {
        indices.isEmpty ? self : Batch(requests.indices.filter { !indices.contains($0) }.map { requests[$0] })
    }

    public var commands: [AssignmentCommand] { requests.map(\.command) }

    public var hasKeys: Bool { !keys.isEmpty }

    /// The command that changes who may take contacts. Then there is no other.
    public var staffChange: AssignmentCommand? { requests.first.flatMap { $0.command.changesStaff ? $0.command : nil } }

    /// Adds a request, if the batch can hold it.
    ///
    /// - Returns: Whether it was added.
    public mutating func add(_ request: AssignmentRequest) -> Bool {
        guard requests.isEmpty || !request.command.changesStaff && staffChange == nil else { return false }
        guard namedContacts.isDisjoint(with: request.command.contacts) else { return false }
        // One has many contacts.
        guard !request.command.isRelease || !requests.contains(where: \.command.isRelease) else { return false }
        guard request.idempotency.map({ add($0.key) }) ?? true else { return false }
        switch request.command {
        case .register(let contact):
            registrations.append(contact)
            sources.insert(contact.sourceID)
        case .updateContact(_, let patch): if let operatorID = patch.operatorID { operators.insert(operatorID) }
        case .requeue: break
        case .release(let id, _): operators.insert(id)
        case .updateOperator(let id, _): operators.insert(id)
        case .setDistribution(let id, _, _): sources.insert(id)
        case .admitWaiting(let ids): sources.formUnion(ids)
        }
        namedContacts.formUnion(request.command.contacts)
        contacts += request.command.contacts
        requests.append(request)
        return true
    }

    /// Of two requests with one key the second must see what the first has left, unless they are entries of one request.
    private mutating func add(_ key: IdempotencyKey) -> Bool {
        var named = keys[key.key] ?? (key.fingerprint, [])
        guard named.fingerprint == key.fingerprint, named.entries.insert(key.entry).inserted else { return false }
        keys[key.key] = named
        return true
    }
}
