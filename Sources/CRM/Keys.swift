public import Access
import Logging
public import Model
import Postgres
import Store
import Synchronization

extension CRM {
    /// Makes a key.
    ///
    /// - Returns: The key, and its text, which is nowhere else.
    /// - Throws: ``CRMError/sourceNotFound(_:)``; ``CRMError/rejected`` if there are too many.
    public func createKey(_ new: NewAPIKey) async throws -> (key: APIKey, text: KeyText) {
        let text = KeyText.random()
        let key = try await run(AddKey(new, text))
        await watchKeys()
        return (key, text)
    }

    /// All keys, the oldest first.
    public func keys() async throws -> [APIKey] { try await run(Fetch<APIKey>.all()) }

    /// Revokes a key: instances refuse it within seconds.
    ///
    /// - Throws: ``CRMError/keyNotFound(_:)``.
    public func revokeKey(_ id: String) async throws {
        if try await run(Fetch<APIKey>.remove(id)).isEmpty { throw CRMError.keyNotFound(id) }
        await watchKeys()
    }

    /// The keys as they were when they were last looked at.
    ///
    /// - Throws: ``CRMError/unavailable(_:)`` if that is too long ago.
    public func keyRing() throws(CRMError) -> KeyRing { try keyState.ring() }

    /// Looks whether the keys have changed. Where the database is away the old ones stay.
    public func watchKeys() async {
        do {
            // By a connection of its own: no list and no locked table shall keep a revoked key good.
            let (revision, ring) = try await keyPool.run(
                FetchKeyRing(unless: keyState.revision), deadline: .now + .seconds(2))
            keyState.note(revision, ring)
        } catch {
            logger.warning(
                "keys not read, those known stay good for minutes: \((error as? PostgresError)?.details ?? "\(error)")")
        }
    }
}

/// The keys that an instance knows.
final class KeyState: Sendable {
    /// How long they are good for while the database does not answer.
    private static let patience = Duration.seconds(5 * 60)
    /// How often the database is asked whether they have changed.
    static let interval = Duration.seconds(2)

    private struct State {
        var ring = KeyRing()
        var revision: Int64?
        var readAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    var revision: Int64? { state.withLock(\.revision) }

    func ring(now: ContinuousClock.Instant = .now) throws(CRMError) -> KeyRing {
        let (ring, readAt) = state.withLock { ($0.ring, $0.readAt) }
        guard let readAt, now - readAt < Self.patience else { throw .unavailable(.database) }
        return ring
    }

    /// - Parameter ring: `nil`: as before.
    func note(_ revision: Int64, _ ring: KeyRing?, now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            state.ring = ring ?? state.ring
            state.revision = revision
            state.readAt = now
        }
    }
}
