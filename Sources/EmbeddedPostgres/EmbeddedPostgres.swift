#if canImport(Darwin)
    import Darwin
    import System
#else
    import Glibc
    import SystemPackage
#endif

/// A private PostgreSQL server: its data in a directory, reached by a unix socket only, by its owner only.
///
/// Any number of processes may use one directory at once. The first one starts the server, the last one stops it.
/// Two locks see to that: `start.lock`, held for as long as somebody starts or stops the server, and
/// `users.lock`, shared by all who use it. The kernel drops both when a process dies, however it dies;
/// a server left behind without users is found running and used by the next start.
public struct EmbeddedPostgres: Sendable {
    /// A libpq URL: unix socket, database `leads_crm`, role `leads_crm`, which is a superuser of this server.
    public var url: String { url(role: "leads_crm") }

    private let cluster: Cluster
    private let start: FileLock
    private let users: FileLock

    /// Starts the PostgreSQL whose data are in a directory, or joins it if it runs.
    ///
    /// The data are created if they are missing. Started by root, PostgreSQL runs under the account `postgres`;
    /// where that account cannot go, the directory becomes a link to one below `/var/lib/leads-crm`.
    ///
    /// - Parameters:
    ///   - directory: Created when missing; the directory above it exists.
    ///   - settings: PostgreSQL settings by name, on top of the built-in ones. They are without effect when
    ///     the server runs already.
    /// - Returns: The running server; call `stop()` when done with it.
    /// - Throws: `EmbeddedPostgresError`.
    public static func start(
        in directory: String, settings: [String: String] = [:]
    ) async throws -> EmbeddedPostgres {
        // In a task of its own a start is finished even if the caller is cancelled: no server is left half started.
        try await Task {
            let cluster = try await Cluster(in: directory)
            let start = try FileLock(cluster.directory.appending("start.lock"))
            let users = try FileLock(cluster.directory.appending("users.lock"))
            try await start.exclusively {
                try await cluster.start(settings: settings)
                _ = try users.tryLock(LOCK_SH)
            }
            return EmbeddedPostgres(cluster: cluster, start: start, users: users)
        }.value
    }

    /// The URL for another role, which needs no password.
    public func url(role: String) -> String { cluster.url(role: role) }

    /// The PID of the postmaster.
    ///
    /// Throws `EmbeddedPostgresError.file` when the server does not run.
    public var processID: Int32 {
        get throws { try cluster.processID }
    }

    /// Ends this use of the directory; its last user stops the server (fast shutdown).
    ///
    /// A second call does nothing.
    ///
    /// Throws `EmbeddedPostgresError.failed` when the server does not stop.
    public func stop() async throws {
        // In a task of its own, because most callers are being cancelled when they stop.
        try await Task {
            try await start.exclusively {
                defer { users.unlock() }
                if try users.tryLock(LOCK_EX) { try await cluster.stop() }
            }
        }.value
    }
}
