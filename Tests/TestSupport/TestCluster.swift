import EmbeddedPostgres
import Foundation
import Postgres
import Store

/// The private PostgreSQL of this test process: started when the first test needs it, gone when the process ends.
public enum TestCluster {
    /// The URL of a database of the cluster, for one of its roles.
    static func url(ofDatabase name: String, role: String) async throws -> String {
        try await postgres.value.url(ofDatabase: name, role: role)
    }

    /// Runs a statement in the cluster's own database, from which no test reads.
    static func execute(_ statement: String) async throws {
        try await maintenance.value.query(statement)
    }

    /// The name of a database that has all migrations and no rows, and belongs to the service's roles.
    static var template: String {
        get async throws { try await migrated.value }
    }

    private static let postgres = Task {
        // What is lost when the machine crashes is of no use afterwards; tests that crash PostgreSQL start their own.
        try await EmbeddedPostgres.start(
            in: ScratchDirectory.makeSubdirectory("cluster"),
            settings: [
                "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "300",
            ])
    }

    private static let maintenance = Task { try await Psql(postgres.value.url) }

    private static let migrated = Task {
        let name = "migrated"
        try await execute("CREATE DATABASE \(name)")
        var superuser = try Connection(ConnectionConfiguration(url: try await url(ofDatabase: name, role: "leads_crm")))
        try Roles.establish(on: &superuser)
        let owner = try await url(ofDatabase: name, role: "leads_crm_owner")
        let result = try await Command.run(["migrate", "--database-url", owner])
        guard result.status == 0 else { throw Command.Failure("migrate: \(result)") }
        return name
    }
}

extension EmbeddedPostgres {
    /// The URL of another database of this cluster, for one of its roles.
    func url(ofDatabase name: String, role: String) throws -> String {
        let url = url(role: role)
        guard var components = URLComponents(string: url) else { throw URLError(.badURL) }
        components.path = "/" + name
        return components.string ?? url
    }
}
