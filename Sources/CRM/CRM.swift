public import Distribution
public import Logging
public import Metrics
public import Postgres
public import ServiceLifecycle
import Synchronization

/// The service's operations, each in one transaction on PostgreSQL. Holds no state of its own: any number of
/// instances may work on one database.
///
/// Every operation throws ``CRMError`` for what a caller can be told; any other error is a defect.
public final class CRM: Service {
    public struct Configuration: Sendable {
        public var connection: ConnectionConfiguration
        /// The most connections for reads, and for writes that change no load. The lane has one more.
        public var poolSize = 4
        /// How long a request may take.
        public var requestTimeout = Duration.seconds(10)
        /// The most requests that may wait for the lane, and again for the pool.
        public var queueLimit = 4096
        /// The most commands in one transaction.
        public var batchLimit = 256
        /// Whether instances queue before their snapshot is taken. An optimisation, not the guarantee.
        public var usesGate = true

        public init(connection: ConnectionConfiguration) { self.connection = connection }
    }

    private let configuration: Configuration
    private let pool: ConnectionPool
    private let dispatcher: Dispatcher
    private let metrics: AssignmentMetrics
    private let isDraining = Atomic(false)

    /// Starts the threads. Nothing is connected before the first operation.
    ///
    /// - Parameter metrics: Where the lane's transactions are counted and timed.
    public init(
        _ configuration: Configuration, logger: Logger, metrics: any MetricsFactory = MetricsSystem.factory
    ) {
        self.configuration = configuration
        self.metrics = AssignmentMetrics(metrics)
        pool = ConnectionPool(
            configuration.connection, size: configuration.poolSize, queueLimit: configuration.queueLimit)
        dispatcher = Dispatcher(
            configuration.connection, usesGate: configuration.usesGate, batchLimit: configuration.batchLimit,
            queueLimit: configuration.queueLimit, logger: logger, metrics: self.metrics)
    }

    /// Watches over deadlines until the service group shuts down, then ends the threads. Nothing waits any more then,
    /// unless the group has lost patience and cancels: what waits is answered as if its deadline had come.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while (try? await Task.sleep(for: .milliseconds(20))) != nil {
                dispatcher.expire()
                pool.expire()
            }
        }
        dispatcher.close()
        pool.close()
        let end = ContinuousClock.now + configuration.requestTimeout
        dispatcher.expire(now: end)
        pool.expire(now: end)
    }

    // MARK: - Operators

    /// - Parameter maxLoad: At least 1.
    public func createOperator(name: String, isActive: Bool, maxLoad: Int32) async throws -> Operator {
        let query = ReadStatements.createOperator(.text(name), .bool(isActive), .int4(maxLoad))
        return try await run(Fetch(query, isRepeatable: false) { try Operator(&$0) })[0]
    }

    public func operators(_ page: Page) async throws -> Listing<Operator> {
        let query = Query(statement: ReadStatements.operators, parameters: page.parameters)
        return Listing(elements: try await run(Fetch(query) { try Operator(&$0) }))
    }

    /// - Throws: ``CRMError/operatorNotFound(_:)``.
    public func operatorWith(_ id: OperatorID) async throws -> Operator {
        try await run(Fetch(ReadStatements.operator(.int8(id.rawValue))) { try Operator(&$0) })
            .first ?? { throw CRMError.operatorNotFound(id) }()
    }

    /// Changes an operator. Contacts that wait for the room it makes are let in, in the same transaction.
    ///
    /// - Throws: ``CRMError/operatorNotFound(_:)``.
    public func updateOperator(_ id: OperatorID, _ patch: OperatorPatch) async throws -> Operator {
        guard patch != OperatorPatch() else { return try await operatorWith(id) }
        guard case .operator(let changed) = try await carryOut(.updateOperator(id, patch)) else { unexpected() }
        return changed
    }

    // MARK: - Sources

    /// - Throws: ``CRMError/sourceNameTaken(_:)``.
    public func createSource(name: String, description: String?) async throws -> Source {
        let query = ReadStatements.createSource(.text(name), .text(description))
        return try await namingSource(name) {
            try await run(Fetch(query, isRepeatable: false) { try Source(&$0) })[0]
        }
    }

    public func sources(_ page: Page) async throws -> Listing<Source> {
        let query = Query(statement: ReadStatements.sources, parameters: page.parameters)
        return Listing(elements: try await run(Fetch(query) { try Source(&$0) }))
    }

    /// - Throws: ``CRMError/sourceNotFound(_:)``.
    public func source(_ id: SourceID) async throws -> Source {
        try await run(Fetch(ReadStatements.source(.int8(id.rawValue))) { try Source(&$0) })
            .first ?? { throw CRMError.sourceNotFound(id) }()
    }

    /// Changes a source; `nil` leaves a field as it is.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``, ``CRMError/sourceNameTaken(_:)``.
    public func updateSource(_ id: SourceID, name: String?, description: String?) async throws -> Source {
        let query = ReadStatements.updateSource(.int8(id.rawValue), .text(name), .text(description))
        return try await namingSource(name ?? "") {
            try await run(Fetch(query) { try Source(&$0) }).first ?? { throw CRMError.sourceNotFound(id) }()
        }
    }

    private func namingSource(_ name: String, _ write: () async throws -> Source) async throws -> Source {
        do {
            return try await write()
        } catch PostgresError.server(let error) where error.constraint == "sources_name_key" {
            throw CRMError.sourceNameTaken(name)
        }
    }

    /// The weights of a source's operators, ordered by the weights' ids.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``.
    public func distribution(of id: SourceID, _ page: Page) async throws -> Listing<OperatorSourceWeight> {
        let query = Query(
            statement: ReadStatements.distribution, parameters: [.int8(id.rawValue)] + page.parameters)
        let weights = try await run(Fetch(query) { try OperatorSourceWeight(&$0) })
        if weights.isEmpty { _ = try await source(id) }
        return Listing(elements: weights)
    }

    /// Sets weights, all or none, and lets waiting contacts in, in the same transaction.
    ///
    /// - Parameters:
    ///   - weights: Where an operator is named twice, the last weight counts.
    ///   - replacing: Whether operators that are not named lose their weight.
    /// - Returns: The weights named in the call, in its order.
    /// - Throws: ``CRMError/sourceNotFound(_:)``, ``CRMError/operatorNotFound(_:)``.
    public func setDistribution(
        of id: SourceID, _ weights: [WeightAssignment], replacing: Bool
    ) async throws -> [OperatorSourceWeight] {
        let last = Dictionary(weights.map { ($0.operatorID, $0) }, uniquingKeysWith: { $1 })
        var named: Set<OperatorID> = []
        let distinct = weights.filter { named.insert($0.operatorID).inserted }.map { last[$0.operatorID]! }
        let command = Command.setDistribution(id, distinct, replacing: replacing)
        guard case .weights(let set) = try await carryOut(command) else { unexpected() }
        return set
    }

    // MARK: - Contacts

    /// Finds or makes the lead, and gives the contact to an operator or lets it wait.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``.
    public func register(_ contact: NewContact) async throws -> ContactDetails {
        guard case .contact(let details) = try await carryOut(.register(contact)) else { unexpected() }
        return details
    }

    /// Closes, reopens or transfers a contact, or changes its message. A place that this frees goes to the oldest
    /// who waits for it, in the same transaction.
    ///
    /// - Throws: ``CRMError/contactNotFound(_:)``; for a transfer ``CRMError/operatorNotFound(_:)``,
    ///   ``CRMError/operatorInactive(_:)``, ``CRMError/operatorFull(_:)``, ``CRMError/contactClosed(_:)``.
    public func updateContact(_ id: ContactID, _ patch: ContactPatch) async throws -> ContactDetails {
        guard patch != ContactPatch() else { return try await contact(id) }
        guard case .contact(let details) = try await carryOut(.updateContact(id, patch)) else { unexpected() }
        return details
    }

    public func contacts(_ filter: ContactFilter, _ page: Page) async throws -> Listing<ContactDetails> {
        Listing(elements: try await run(Fetch(filter, page)))
    }

    /// - Throws: ``CRMError/contactNotFound(_:)``.
    public func contact(_ id: ContactID) async throws -> ContactDetails {
        try await run(Fetch(ReadStatements.contact(.int8(id.rawValue))) { try ContactDetails(&$0) })
            .first ?? { throw CRMError.contactNotFound(id) }()
    }

    /// For each source how many contacts each operator was given, whatever their status; pairs without any are
    /// left out.
    public func distributionCounts() async throws -> [DistributionCount] {
        try await run(
            Fetch(ReadStatements.distributionCounts()) { row in
                DistributionCount(
                    sourceID: try row.next(), sourceName: try row.next(), operatorID: try row.next(),
                    operatorName: try row.next(), contactsCount: try row.next())
            })
    }

    // MARK: - Leads

    /// Leads that have all the given identifiers.
    public func leads(_ filter: LeadIdentity, _ page: Page) async throws -> Listing<LeadWithContacts> {
        try await run(FetchLeads(filter, page))
    }

    /// - Throws: ``CRMError/leadNotFound(_:)``.
    public func lead(_ id: LeadID) async throws -> LeadWithContacts {
        let anyone = LeadIdentity(externalID: nil, phone: nil, email: nil)
        return try await run(FetchLeads(anyone, id: id, Page(limit: 1, after: .min))).elements.first
            ?? { throw CRMError.leadNotFound(id) }()
    }

    // MARK: -

    /// Returns if requests can be served: PostgreSQL can be written, its schema is up to date, and ``drain()`` was
    /// not called.
    ///
    /// - Throws: ``CRMError/unavailable(_:)``, within two seconds.
    public func checkReadiness() async throws {
        guard !isDraining.load(ordering: .relaxed) else { throw CRMError.unavailable(.shuttingDown) }
        let fetch = Fetch(ReadStatements.readiness()) { (try $0.next(Bool.self), try $0.next(Int32.self)) }
        let (isWritable, version) = try await run(fetch, within: .seconds(2))[0]
        guard isWritable else { throw CRMError.unavailable(.readOnly) }
        guard version >= Migrations.all.last!.version else { throw CRMError.unavailable(.migrationsPending) }
    }

    /// Makes ``checkReadiness()`` fail from now on, so that load balancers send nothing more.
    public func drain() { isDraining.store(true, ordering: .relaxed) }

    /// How many commands wait for the lane now.
    public var waitingCommands: Int { dispatcher.waitingCommands }

    /// How many threads the pool has, how many of them are at work, and how many requests wait for one.
    public var poolUse: (size: Int, busy: Int, waiting: Int) {
        (configuration.poolSize, pool.busyThreads, pool.waitingJobs)
    }

    /// What the database says of loads and waiting contacts, for monitoring.
    ///
    /// - Parameter operatorLimit: The most operators to answer, the fullest first.
    /// - Throws: ``CRMError/unavailable(_:)``, within two seconds.
    public func deskState(operatorLimit: Int) async throws -> DeskState {
        try await run(FetchDeskState(operatorLimit: Int64(operatorLimit)), within: .seconds(2))
    }

    private func run<T: Transaction>(_ transaction: T, within limit: Duration? = nil) async throws -> T.Output {
        do {
            return try await pool.run(transaction, deadline: .now + (limit ?? configuration.requestTimeout))
        } catch let error as PostgresError {
            if case .server(let error) = error, !error.asksForReconnect { throw PostgresError.server(error) }
            throw CRMError(error)
        }
    }

    private func carryOut(_ command: Command) async throws -> Outcome {
        do {
            let outcome = try await dispatcher.carryOut(command, deadline: .now + configuration.requestTimeout)
            metrics.count(.success(outcome), of: command)
            return outcome
        } catch {
            metrics.count(.failure(error), of: command)
            throw error
        }
    }

    private func unexpected() -> Never { preconditionFailure("a command has the outcome of another") }
}
