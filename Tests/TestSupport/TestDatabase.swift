import Foundation

/// A database that one test has to itself.
public struct TestDatabase: Sendable {
    /// A libpq URL for a superuser, who may do and see everything.
    public let url: String
    /// A libpq URL for the role that instances connect as.
    public let serviceURL: String
    /// A libpq URL for the role that owns the tables.
    public let ownerURL: String

    public enum Content: Sendable {
        /// Nothing: no tables.
        case none
        /// All tables, no rows.
        case schema
    }

    /// Creates a database, runs the body with it, and drops it, whoever is still connected.
    ///
    /// - Throws: What the body throws; ``Psql/Failure`` if the database can't be created or dropped.
    public static func with<Value>(
        _ content: Content = .schema, isolation: isolated (any Actor)? = #isolation,
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        let name = "test_" + UUID().uuidString.filter { $0 != "-" }.lowercased()
        let template = content == .schema ? try await TestCluster.template : "template0"
        try await TestCluster.execute("CREATE DATABASE \(name) TEMPLATE \(template)")
        let result: Result<Value, any Error>
        do {
            let database = TestDatabase(
                url: try await TestCluster.url(ofDatabase: name, role: "leads_crm"),
                serviceURL: try await TestCluster.url(ofDatabase: name, role: "leads_crm_service"),
                ownerURL: try await TestCluster.url(ofDatabase: name, role: "leads_crm_owner"))
            result = .success(try await body(database))
        } catch {
            result = .failure(error)
        }
        try await TestCluster.execute("DROP DATABASE \(name) WITH (FORCE)")
        return try result.get()
    }
}
