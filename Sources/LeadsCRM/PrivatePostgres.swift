import EmbeddedPostgres
import Postgres
import Store

/// The private PostgreSQL in `.leads-crm/`, with the roles of ``Roles``.
struct PrivatePostgres {
    /// Its directory, relative to the current folder.
    static let directory = ".leads-crm"

    private let server: EmbeddedPostgres

    /// Starts the server, or joins it if it runs; call ``stop()`` when done with it.
    static func start() async throws -> PrivatePostgres {
        let server = try await EmbeddedPostgres.start(in: directory)
        do {
            var connection = try Connection(ConnectionConfiguration(url: server.url))
            try Roles.establish(on: &connection)
        } catch {
            try await server.stop()
            throw error
        }
        return PrivatePostgres(server: server)
    }

    /// The URL for migrations, for commands that write as the owner, and for a person with psql.
    var ownerURL: String { server.url(role: "leads_crm_owner") }

    /// The URL for instances.
    var serviceURL: String { server.url(role: "leads_crm_service") }

    func stop() async throws { try await server.stop() }
}
