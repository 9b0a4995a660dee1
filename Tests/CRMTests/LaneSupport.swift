import CRM
import Foundation
import Logging
import Model
import Postgres
import TestSupport

/// Runs the body with a CRM on a database.
func withCRM(
    on database: TestDatabase, _ change: (inout CRM.Configuration) -> Void = { _ in },
    _ body: (CRM) async throws -> Void
) async throws {
    try await withCRM(url: database.url, change, body)
}

func withCRM(
    url: String, _ change: (inout CRM.Configuration) -> Void = { _ in }, _ body: (CRM) async throws -> Void
) async throws {
    var configuration = CRM.Configuration(connection: ConnectionConfiguration(url: url))
    change(&configuration)
    let crm = CRM(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let service = Task { try await crm.run() }
    let result: Result<Void, any Error>
    do { result = .success(try await body(crm)) } catch { result = .failure(error) }
    service.cancel()
    try? await service.value
    try result.get()
}

/// Adds an operator, a source and a weight; the first time their ids are 1.
func addDesk(_ psql: Psql, maxLoad: Int = 1_000_000) async throws {
    try await psql.query("INSERT INTO operators (name, max_load) VALUES ('o', \(maxLoad))")
    try await psql.query("INSERT INTO sources (name) VALUES (gen_random_uuid())")
    try await psql.query(
        """
        INSERT INTO operator_source_weights (operator_id, source_id)
        SELECT (SELECT max(id) FROM operators), (SELECT max(id) FROM sources)
        """)
}

extension CRM {
    func register(_ contact: NewContact) async throws -> ContactDetails {
        try await result { register(contact, completion: $0) }
    }

    func updateContact(_ id: ContactID, _ patch: ContactPatch) async throws -> ContactDetails {
        try await result { updateContact(id, patch, completion: $0) }
    }

    func updateOperator(_ id: OperatorID, _ patch: OperatorPatch) async throws -> Operator {
        try await result { updateOperator(id, patch, completion: $0) }
    }

    /// What came of an operation without a key.
    private func result<Value: Sendable>(
        _ start: (@escaping Completion<Answered<Value>>) -> Void
    ) async throws -> Value {
        let answered = try await answer(start)
        guard case .fresh(let value) = answered else { preconditionFailure("there was no key") }
        return value
    }

    func answer<Value: Sendable>(_ start: (@escaping Completion<Value>) -> Void) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in start { continuation.resume(with: $0) } }
    }
}

func contact(_ phone: String?, message: String? = nil, at source: Int64 = 1) -> NewContact {
    NewContact(
        sourceID: SourceID(source), identity: LeadIdentity(externalID: nil, phone: phone, email: nil), leadName: nil,
        message: message)
}

/// Holds the gate until `body` has queued what it wants to go into one batch: a first command is in flight and
/// waits at the gate, so that all others queue behind it.
func whileGateIsHeld(_ crm: CRM, _ psql: Psql, _ body: () async throws -> Void) async throws {
    try await psql.query("BEGIN")
    try await psql.query("LOCK TABLE assignment_gate IN EXCLUSIVE MODE")
    let first = Task { try await crm.register(contact(nil)) }
    try await waitsForLock(psql)
    try await body()
    try await psql.query("COMMIT")
    _ = try await first.value
}

func waitsForLock(_ psql: Psql, sessions: Int = 1) async throws {
    try await eventually("\(sessions) sessions wait for a lock") {
        // Inside a transaction pg_stat_activity goes on showing what it showed first.
        try await psql.query("SELECT pg_stat_clear_snapshot()")
        return try await psql.number(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
            """) == sessions
    }
}

extension String {
    /// A libpq URL with another folder for its socket.
    func replacing(host folder: String) -> String {
        var components = URLComponents(string: self)!
        components.queryItems =
            (components.queryItems ?? []).filter { $0.name != "host" }
            + [URLQueryItem(name: "host", value: folder)]
        return components.string!
    }
}
