import Foundation

/// A database that one test has to itself.
public struct TestDatabase: Sendable {
    /// A libpq URL.
    public let url: String

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
            result = .success(try await body(TestDatabase(url: TestCluster.url(ofDatabase: name))))
        } catch {
            result = .failure(error)
        }
        try await TestCluster.execute("DROP DATABASE \(name) WITH (FORCE)")
        return try result.get()
    }
}
