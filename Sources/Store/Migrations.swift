import Model
public import Postgres

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The schema's history: `sql/migrations`, carried by the binary, applied in order, never taken back.
///
/// Each runs in a transaction of its own, together with its entry in the ledger `schema_migrations`. A
/// transaction-level advisory lock lets one process at a time through; the others then find the work done.
///
/// A migration that has to wait for a table makes all who come after it wait, too, be it only for a transaction that somebody
/// left open. So it waits for moments, gives up, and tries again for a minute.
public enum Migrations {
    public struct Migration: Sendable {
        public let version: Int32
        public let name: String
        let sql: String

        init(_ version: Int32, _ name: String, _ sql: [UInt8]) {
            self.version = version
            self.name = name
            self.sql = String(decoding: sql, as: UTF8.self)
        }
    }

    public static let all = [
        Migration(1, "initial", PackageResources._001_initial_sql),
        Migration(2, "reporting", PackageResources._002_reporting_sql),
        Migration(3, "event_times", PackageResources._003_event_times_sql),
        Migration(4, "reporting_rows", PackageResources._004_reporting_rows_sql),
        Migration(5, "counts_in_one_statement", PackageResources._005_counts_in_one_statement_sql),
        Migration(6, "batches_by_time", PackageResources._006_batches_by_time_sql),
        Migration(7, "nfc_identifiers", PackageResources._007_nfc_identifiers_sql),
        Migration(8, "least_privilege", PackageResources._008_least_privilege_sql),
        Migration(9, "maintenance", PackageResources._009_maintenance_sql),
        Migration(10, "phones_as_copied", PackageResources._010_phones_as_copied_sql),
        Migration(11, "idempotency_keys", PackageResources._011_idempotency_keys_sql),
        Migration(12, "strategies", PackageResources._012_strategies_sql),
        Migration(13, "deletes_and_statistics", PackageResources._013_deletes_and_statistics_sql),
        Migration(14, "history", PackageResources._014_history_sql),
        Migration(15, "keys", PackageResources._015_keys_sql),
    ]

    /// A migration and whether the database has it.
    public struct Status: Sendable {
        public let version: Int32
        public let name: String
        /// `nil`: not yet.
        public let appliedAt: Timestamp?
    }

    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// An applied migration's text is not the one that this program carries.
        case changed(version: Int32)
        case unknownVersion(Int32)
        /// The migration is pending, and the connection's role has not the rights to apply it; with what PostgreSQL says.
        case forbidden(version: Int32, String)
        /// The migration is pending, and other sessions keep the tables locked that it changes: those that may be it.
        case locked(version: Int32, by: [String])

        public var description: String {
            switch self {
            case .changed(let version):
                "migration \(version) was changed after it had been applied to this database"
            case .unknownVersion(let version): "there is no migration \(version)"
            case .forbidden(let version, let reason):
                """
                migration \(version) is pending, and the role in the database URL may not apply it (\(reason)): run \
                leads-crm migrate as the role that owns the tables
                """
            case .locked(let version, let sessions):
                """
                migration \(version) is pending, and other sessions have kept its tables locked for a minute \
                (\(sessions.joined(separator: "; "))): end their transactions, or try again
                """
            }
        }
    }

    private static let lock = Statement(
        unprepared: "SELECT pg_advisory_xact_lock(hashtext('leads_crm.schema_migrations'))")
    private static let lockLimit = Statement(unprepared: "SET LOCAL lock_timeout = '200ms'")
    /// The sessions that have tables of this database locked, the longest transaction first.
    private static let holders = Statement(
        unprepared: """
            SELECT format('process %s, user %s, %s', a.pid, a.usename, a.application_name)
            FROM pg_stat_activity AS a
            WHERE a.pid <> pg_backend_pid() AND EXISTS (
                SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.granted
                    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
            ORDER BY a.xact_start LIMIT 3
            """)
    /// Everything belongs to whoever migrated first, also what a superuser or another member of that role adds.
    private static let becomeOwner = Statement(
        unprepared: """
            SELECT set_config('role', pg_get_userbyid(relowner), true) FROM pg_class
            WHERE oid = to_regclass('schema_migrations') AND pg_has_role(relowner, 'MEMBER')
            """)
    private static let hasLedger = Statement(unprepared: "SELECT to_regclass('schema_migrations') IS NOT NULL")
    private static let ledger = Statement(
        unprepared: """
            SELECT m.version, m.name, m.applied_at, c.sql IS NULL OR m.checksum = encode(sha256(convert_to(c.sql, 'UTF8')), 'hex')
            FROM schema_migrations AS m
            LEFT JOIN unnest($1::integer[], $2::text[]) AS c (version, sql) USING (version) ORDER BY m.version
            """)
    private static let record = Statement(
        unprepared: """
            INSERT INTO schema_migrations (version, name, checksum)
            VALUES ($1::integer, $2::text, encode(sha256(convert_to($3::text, 'UTF8')), 'hex'))
            """)

    /// Brings the database to a version.
    ///
    /// - Parameters:
    ///   - target: The last version to apply; `nil`: all. A database that has more keeps it.
    ///   - patience: How long to try again when tables are locked.
    /// - Returns: The versions that were applied, empty if it was up to date.
    /// - Throws: ``Failure``, ``PostgresError``.
    public static func migrate(
        _ connection: inout Connection, to target: Int32? = nil, patience: Duration = .seconds(60)
    ) throws -> [Int32] {
        let end = ContinuousClock.now + patience
        if let target, !all.contains(where: { $0.version == target }) { throw Failure.unknownVersion(target) }
        var applied: [Int32] = []
        for migration in all where migration.version <= target ?? .max {
            // Looked at before the lock, so that a role without the right to create tables can serve.
            while try !isApplied(migration, on: &connection) {
                do {
                    if try apply(migration, on: &connection) { applied.append(migration.version) }
                } catch PostgresError.server(let refusal) where refusal.kind == .locked {
                    try connection.rollBack()
                    guard .now < end else {
                        let holders = try connection.run(holders()).map { try $0.next(String.self) }
                        throw Failure.locked(version: migration.version, by: holders)
                    }
                    usleep(.random(in: 100_000...500_000))
                } catch {
                    try? connection.rollBack()
                    guard case PostgresError.server(let refusal) = error, refusal.sqlState == "42501" else {
                        throw error
                    }
                    throw Failure.forbidden(version: migration.version, refusal.message)
                }
            }
        }
        return applied
    }

    /// - Returns: Whether this process has applied it, not another one meanwhile.
    private static func apply(_ migration: Migration, on connection: inout Connection) throws -> Bool {
        // Another process that migrates has longer, and may be stopped.
        try connection.run(script: "BEGIN; SET LOCAL lock_timeout = '10s'")
        _ = try connection.run(lock())
        _ = try connection.run(lockLimit())
        _ = try connection.run(becomeOwner())
        // Also makes this session notice what another one created while it waited for the lock.
        try connection.run(
            script: """
                CREATE TABLE IF NOT EXISTS schema_migrations (
                    version integer NOT NULL CONSTRAINT schema_migrations_pkey PRIMARY KEY,
                    name text NOT NULL,
                    checksum text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now())
                """)
        let isMine = try !isApplied(migration, on: &connection)
        if isMine {
            try connection.run(script: migration.sql)
            _ = try connection.run(
                record(.int4(migration.version), .text(migration.name), .text(migration.sql)))
        }
        try connection.run(script: "COMMIT")
        return isMine
    }

    /// Every migration that this program or the database knows, in order.
    ///
    /// - Throws: ``Failure/changed(version:)``, ``PostgresError``.
    public static func status(_ connection: inout Connection) throws -> [Status] {
        let entries = try entries(&connection)
        let missing = all.filter { migration in !entries.contains { $0.version == migration.version } }
        return entries + missing.map { Status(version: $0.version, name: $0.name, appliedAt: nil) }
    }

    private static func isApplied(_ migration: Migration, on connection: inout Connection) throws -> Bool {
        try entries(&connection).contains { $0.version == migration.version }
    }

    private static func entries(_ connection: inout Connection) throws -> [Status] {
        guard try connection.run(hasLedger()).first({ try $0.next(Bool.self) }) == true else { return [] }
        let known = ledger(.int4Array(all.map(\.version)), .textArray(all.map(\.sql)))
        return try connection.run(known).map { row in
            let status = Status(version: try row.next(), name: try row.next(), appliedAt: try row.next())
            guard try row.next(Bool.self) else { throw Failure.changed(version: status.version) }
            return status
        }
    }
}
