import Synchronization
import TestSupport
import Testing

/// Clients that register contacts, one after another each, and remember what they were told.
final class RegistrationTraffic: Sendable {
    private let clients: [Client]
    private let source: Int
    private let state = Mutex(State())

    private struct State {
        var sent = 0
        var isStopped = false
        /// Id and operator of the contacts answered with 201, by the message that tells them from each other.
        var acknowledged: [String: [String]] = [:]
        var refusals: [Refusal] = []
        /// Requests that got no answer, by client.
        var unanswered: [Int: Int] = [:]
    }

    struct Refusal: Sendable {
        let answer: Client.Response
        let duration: Duration
    }

    init(_ clients: [Client], source: Int) {
        self.clients = clients
        self.source = source
    }

    /// How many contacts were answered with 201.
    var acknowledgedCount: Int { state.withLock { $0.acknowledged.count } }
    /// All answers but 201.
    var refusals: [Refusal] { state.withLock { $0.refusals } }
    /// How many requests to the client with this number got no answer.
    func unanswered(by client: Int) -> Int { state.withLock { $0.unanswered[client] ?? 0 } }

    /// Keeps the clients busy for as long as the body runs, and ends when every request has its answer.
    ///
    /// - Parameter width: How many requests are under way at once; they go to the clients in turn.
    func flow<Result: Sendable>(
        width: Int, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<width {
                group.addTask {
                    while let message = self.nextMessage() {
                        await self.register(message, by: worker % self.clients.count)
                    }
                }
            }
            defer { state.withLock { $0.isStopped = true } }
            return try await body()
        }
    }

    /// Waits until so many more contacts were acknowledged.
    func advance(by count: Int, within limit: Duration = .seconds(30)) async throws {
        let goal = acknowledgedCount + count
        try await eventually("\(count) more contacts are acknowledged", within: limit) { acknowledgedCount >= goal }
    }

    private func nextMessage() -> String? {
        state.withLock { state in
            guard !state.isStopped else { return nil }
            state.sent += 1
            return "message \(state.sent)"
        }
    }

    private func register(_ message: String, by client: Int) async {
        let start = ContinuousClock.now
        do {
            let answer = try await clients[client].post(
                "/api/v1/contacts", ["source_id": JSON(source), "message": .string(message)])
            let contact = answer.json
            let operatorID = contact["operator_id"].int
            state.withLock { state in
                if answer.status == 201 {
                    state.acknowledged[message] = [contact["id"].description, operatorID.map(String.init) ?? ""]
                } else {
                    state.refusals.append(Refusal(answer: answer, duration: .now - start))
                }
            }
        } catch {
            state.withLock { $0.unanswered[client, default: 0] += 1 }
            // A client that is refused the connection must not spin.
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Expects every acknowledged contact to be stored as it was acknowledged, and none twice.
    ///
    /// - Parameter onlyAcknowledged: Whether nothing else may be stored either.
    func expectStored(_ psql: Psql, onlyAcknowledged: Bool = false) async throws {
        let rows = try await psql.query("SELECT message, id, operator_id FROM contacts WHERE message LIKE 'message %'")
        #expect(Set(rows.map { $0[0] }).count == rows.count, "a contact is there twice")
        let stored = Dictionary(rows.map { ($0[0], Array($0[1...])) }) { first, _ in first }
        let acknowledged = state.withLock { $0.acknowledged }
        let lost = acknowledged.filter { message, contact in stored[message] != contact }
        #expect(lost.isEmpty, "\(lost.count) of \(acknowledged.count) are not stored as acknowledged")
        if onlyAcknowledged { #expect(rows.count == acknowledged.count, "contacts are stored that no client knows of") }
    }
}
