public import Postgres

/// Whether an instance could serve.
public struct Readiness: Transaction {
    public let isRepeatable = true

    public init() {}

    /// - Returns: Whether the session may write, and whether the database has all migrations.
    public func run(on connection: inout Connection) throws -> (isWritable: Bool, isMigrated: Bool) {
        try connection.run(Self.statement()).first { row in
            (try row.next(), try row.next(Int32.self) >= Migrations.all.last!.version)
        }!
    }

    private static let statement = Statement(
        """
        SELECT NOT current_setting('transaction_read_only')::boolean,
            (SELECT COALESCE(max(version), 0) FROM schema_migrations)
        """)
}
