import Subprocess

#if canImport(Darwin)
    import Darwin
    import System
#else
    import Glibc
    import SystemPackage
#endif

/// The account that PostgreSQL's programs run under and that its files belong to.
struct Account: Sendable, Equatable {
    var user: uid_t
    var group: gid_t

    /// The account of this process.
    static let current = Account(user: geteuid(), group: getegid())

    /// The current account, or `postgres` for root, whom PostgreSQL refuses.
    ///
    /// Throws `EmbeddedPostgresError.noServerAccount`.
    static func forServer() throws -> Account {
        guard current.user == 0 else { return current }
        guard let entry = getpwnam("postgres")?.pointee else { throw EmbeddedPostgresError.noServerAccount }
        return Account(user: entry.pw_uid, group: entry.pw_gid)
    }

    /// Makes the account the owner of a file or directory.
    ///
    /// Throws `EmbeddedPostgresError.file`.
    func own(_ path: FilePath) throws {
        if self != .current { try check(path, lchown(path.string, user, group)) }
    }

    /// Whether the account may make a directory its current one.
    func canEnter(_ directory: FilePath) async -> Bool {
        (try? await run("sh", ["-c", "cd \"$0\"", directory.string], in: "/")) != nil
    }

    /// Runs a program to its end under this account.
    ///
    /// - Parameters:
    ///   - program: Its path, or a name to be found in the `PATH`.
    ///   - input: What it reads from its standard input.
    /// - Returns: What it printed, standard error included.
    /// - Throws: `EmbeddedPostgresError.failed` when it cannot be started or ends with another status than 0.
    @discardableResult
    func run(
        _ program: String, _ arguments: [String], in directory: FilePath, input: String = ""
    ) async throws -> String {
        // Not by `PlatformOptions.userID`: glibc's setuid() hangs now and then in the child of a process with threads.
        let launcher =
            self == .current ? ["env"] : ["setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups"]
        let result = try await Subprocess.run(
            .name(launcher[0]), arguments: Arguments(launcher.dropFirst() + [program] + arguments),
            environment: .inherit.updating(["LC_ALL": "C"]), workingDirectory: directory,
            input: .string(input), output: .string(limit: 1 << 20), error: .combinedWithOutput)
        guard result.terminationStatus.isSuccess else {
            throw EmbeddedPostgresError.failed(program: program, output: result.standardOutput)
        }
        return result.standardOutput
    }
}
