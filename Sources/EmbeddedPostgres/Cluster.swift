#if canImport(Darwin)
    import Darwin
    import System
#else
    import Glibc
    import SystemPackage
#endif

/// A directory with PostgreSQL's data in `data` and its messages in `postgresql.log`.
///
/// Whoever starts or stops the server holds the directory's start lock.
struct Cluster: Sendable {
    let directory: FilePath
    private let account: Account
    private let installation: Installation
    private let socketDirectory: FilePath

    private static let port = "5432"

    /// Creates the directory if it is missing, but no data yet.
    init(in path: String) async throws {
        account = try Account.forServer()
        directory = try await place(FilePath(path), for: account)
        socketDirectory = placeOfSocket(of: directory, port: Cluster.port)
        installation = try await Installation.find(for: directory.appending("data"))
    }

    /// A libpq URL for the database and one of its roles.
    func url(role: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/".utf8)
        let host = socketDirectory.string.utf8.map { byte in
            plain.contains(byte) ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "postgresql://\(role)@/leads_crm?host=\(host.joined())&port=\(Cluster.port)"
    }

    /// The PID of the postmaster.
    var processID: Int32 {
        get throws {
            guard let id = Int32(try firstLine(of: lockFile)) else {
                throw EmbeddedPostgresError.file(lockFile.string, .noSuchProcess)
            }
            return id
        }
    }

    /// Starts the server unless it runs; creates the data first if there are none.
    func start(settings: [String: String]) async throws {
        // A creation that was killed leaves them. Its processes may still be busy there: hence never the same name.
        _ = try? await Account.current.run("sh", ["-c", "rm -rf data.*"], in: directory)
        if !exists(data.appending("PG_VERSION")) { try await create(settings: settings) }
        try makePrivateDirectory(socketDirectory, for: account)
        let log = directory.appending("postgresql.log")
        try naming(log) {
            try FileDescriptor.open(log, .writeOnly, options: .create, permissions: .ownerReadWrite).close()
        }
        try account.own(log)
        // What was killed may leave processes that are still starting, stopping or dying: they get a minute.
        let deadline = ContinuousClock.now + .seconds(60)
        while !(await isReady) {
            let wasLocked = exists(lockFile)
            do {
                return try await pgCtl("start", "-t", "300", "-l", "postgresql.log", "-o", serverOptions(settings))
            } catch let EmbeddedPostgresError.failed(program, output) {
                // A server that fails for reasons of its own leaves no lock file.
                guard ContinuousClock.now < deadline, wasLocked || exists(lockFile) else {
                    let messages = try await account.run("tail", ["-n", "20", "postgresql.log"], in: directory)
                    throw EmbeddedPostgresError.failed(program: program, output: output + messages)
                }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Stops the server with a fast shutdown and waits for its end.
    ///
    /// A server that does not run is no error.
    func stop() async throws {
        if (try? await pgCtl("status")) != nil { try await pgCtl("stop", "-m", "fast", "-t", "300") }
        // It may lie in /tmp, where nothing is to be left.
        rmdir(socketDirectory.string)
    }

    private var data: FilePath { directory.appending("data") }
    private var lockFile: FilePath { data.appending("postmaster.pid") }

    private var isReady: Bool {
        get async {
            let arguments = ["-q", "-h", socketDirectory.string, "-p", Cluster.port, "-d", "leads_crm"]
            return (try? await run("pg_isready", arguments)) != nil
        }
    }

    /// The built-in settings with the caller's on top, as options quoted for the shell that `pg_ctl` uses.
    private func serverOptions(_ settings: [String: String]) -> String {
        let builtIn = [
            "listen_addresses": "", "unix_socket_directories": socketDirectory.string, "port": Cluster.port,
            "max_connections": "200", "shared_buffers": "256MB", "min_wal_size": "1GB", "max_wal_size": "4GB",
            "checkpoint_timeout": "15min", "jit": "off",
            // Somebody's open SERIALIZABLE transaction keeps the predicate locks of all that commit meanwhile. With the
            // gate nothing is lost if they are of whole tables, and then they are few.
            "max_pred_locks_per_relation": "0", "max_pred_locks_per_page": "0", "max_pred_locks_per_transaction": "256",
            // What leads wrote stands in parameters and in details of errors; neither comes into the log.
            "log_error_verbosity": "terse", "log_parameter_max_length": "0", "log_parameter_max_length_on_error": "0",
        ]
        return builtIn.merging(settings) { $1 }
            .map { "-c '" + "\($0)=\($1)".replacing("'", with: #"'\''"#) + "'" }
            .joined(separator: " ")
    }

    /// Creates the data under another name and renames them when they are complete: whatever cuts this short leaves
    /// nothing that looks like data.
    private func create(settings: [String: String]) async throws {
        let new = try temporaryDirectory(directory.appending("data."))
        try account.own(new)
        let durable = settings["fsync"] ?? "on"
        try await run(
            "initdb",
            ["-D", new.string, "--encoding=UTF8", "--locale=\(Cluster.locale())", "--auth=trust", "-U", "leads_crm"]
                + (durable == "off" ? ["--no-sync"] : []))
        try await run(
            "postgres",
            ["--single", "-D", new.string, "-c", "exit_on_error=on", "-c", "fsync=\(durable)", "postgres"],
            input: "CREATE DATABASE leads_crm\n")
        try check(data, rename(new.string, data.string))
        // Once the server acknowledges a commit, the new name has to be on the disk.
        let descriptor = open(directory.string, O_RDONLY | O_CLOEXEC)
        try check(directory, descriptor)
        defer { close(descriptor) }
        try check(directory, fsync(descriptor))
    }

    /// `C.UTF-8`, which sorts by code point and knows the case of all letters; `C` where the system lacks it.
    private static func locale() -> String {
        guard let locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil) else { return "C" }
        freelocale(locale)
        return "C.UTF-8"
    }

    /// Runs `pg_ctl` with relative names: it hands them to a shell, and the directory's path may have odd characters.
    private func pgCtl(_ command: String, _ arguments: String...) async throws {
        try await run("pg_ctl", [command, "-D", "data"] + arguments)
    }

    private func run(_ program: String, _ arguments: [String], input: String = "") async throws {
        try await account.run(
            installation.binaries.appending(program).string, arguments, in: directory, input: input)
    }
}
