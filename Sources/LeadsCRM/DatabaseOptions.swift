import ArgumentParser
import Diagnosis
import Postgres

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The database that a command uses: the option's, else that of `DATABASE_URL`, else the private one of the folder.
struct DatabaseOptions: ParsableArguments {
    @Option(help: settings.databaseURL.optionHelp(valueName: "url"))
    var databaseURL: String?

    /// The database of one run.
    struct Database {
        /// The URL for an instance.
        let url: String
        /// The URL for a command that changes tables, or writes what an instance may not.
        let ownerURL: String
        /// Whether it is the private PostgreSQL of the current folder.
        let isPrivate: Bool
    }

    /// The error that there is no database to use.
    struct Missing: Error, CustomStringConvertible {
        let description = """
            There is no database: neither --database-url nor DATABASE_URL names one, and this folder has no \
            private PostgreSQL (\(PrivatePostgres.directory)/).
              → name one, or go to the folder where 'leads-crm serve' or 'leads-crm demo' made one; either makes one here
            """
    }

    /// The URL of the option or the variable; `nil` without either, for the private PostgreSQL.
    var url: String? { get throws { try databaseURL ?? settings.databaseURL.value() } }

    /// Runs the body with the database. A private PostgreSQL is started before, and stopped afterwards unless others use
    /// it.
    ///
    /// - Parameter creates: Whether the private PostgreSQL is made if there is none.
    /// - Throws: ``Missing``, `EmbeddedPostgresError`, and what the body throws.
    func use<Result>(
        creates: Bool = false, _ body: (Database) async throws -> Result
    ) async throws -> Result {
        if let url = try url { return try await body(Database(url: url, ownerURL: url, isPrivate: false)) }
        guard creates || access(PrivatePostgres.directory + "/data", F_OK) == 0 else { throw Missing() }
        let postgres = try await PrivatePostgres.start()
        let result: Swift.Result<Result, any Error>
        do {
            let database = Database(url: postgres.serviceURL, ownerURL: postgres.ownerURL, isPrivate: true)
            result = .success(try await body(database))
        } catch {
            result = .failure(error)
        }
        try await postgres.stop()
        return try result.get()
    }

    /// Runs the body with one connection, as the owner.
    ///
    /// - Throws: See ``use(creates:_:)``; ``Unconnected``.
    func connect<Result>(
        creates: Bool = false, _ body: (inout Connection) throws -> Result
    ) async throws -> Result {
        let preparesStatements = try settings.preparedStatements.value()
        return try await use(creates: creates) { database in
            let configuration = ConnectionConfiguration(url: database.ownerURL, preparesStatements: preparesStatements)
            var connection: Connection
            do { connection = try Connection(configuration) } catch PostgresError.connectionLost(let reason) {
                throw Unconnected(configuration, reason)
            }
            return try body(&connection)
        }
    }
}

extension Connection {
    /// Runs the body in a transaction that waits ten seconds at most for tables that somebody keeps locked.
    ///
    /// - Throws: ``Locked``, and what the body throws.
    mutating func read<Result>(_ body: (inout Connection) throws -> Result) throws -> Result {
        // A pooler gives the session to others afterwards, hence LOCAL.
        try run(script: "BEGIN; SET LOCAL lock_timeout = '10s'")
        do {
            let result = try body(&self)
            try rollBack()
            return result
        } catch PostgresError.server(let error) where error.sqlState == "55P03" {
            try rollBack()
            throw Locked(holders: try run(Self.lockHolders()).map { try $0.next(String.self) })
        }
    }

    private static let lockHolders = Statement(
        unprepared: """
            SELECT DISTINCT format('process %s, user %s (%s)', a.pid, a.usename, a.application_name)
            FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
            WHERE l.mode = 'AccessExclusiveLock' AND l.granted AND l.locktype = 'relation'
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """)
}

/// The error that tables stayed locked.
private struct Locked: Error, CustomStringConvertible {
    let holders: [String]

    var description: String {
        """
        Tables were locked for ten seconds, by \(holders.isEmpty ? "somebody" : holders.joined(separator: "; ")).
          → try again, or end that session: SELECT pg_terminate_backend(PROCESS)
        """
    }
}

/// The error that no connection could be made, with the remedy.
struct Unconnected: Error, CustomStringConvertible {
    let description: String

    init(_ configuration: ConnectionConfiguration, _ reason: String) {
        description = "no connection to PostgreSQL: \(reason)  → \(configuration.remedy)"
    }
}
