import Foundation
import Synchronization

/// A program started by a test.
///
/// Foundation's `Process` takes a child for running as long as any descendant of it does, and a PostgreSQL outlives
/// the program that started it.
public final class ChildProcess: Sendable {
    public let processID: pid_t
    private let waitStatus = Mutex<Int32?>(nil)

    /// What a program gets as file descriptors 0, 1 and 2.
    public enum Streams {
        /// Nothing to read; new files `stdout` and `stderr` in a directory.
        case files(in: String)
        /// A socket to read from and to write to; what goes to standard error is lost.
        case socket(FileHandle)
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - arguments: The first one is the program: a path, or a name to look up in `PATH`.
    ///   - environment: All of its environment.
    ///   - directory: Where it runs: one from ``ScratchDirectory`` unless it may outlive the tests.
    /// - Throws: `POSIXError` if it cannot be started.
    public init(
        _ arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment,
        in directory: String, streams: Streams
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        switch streams {
        case .files(let directory):
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, directory + "/stdout", O_WRONLY | O_CREAT, 0o644)
            posix_spawn_file_actions_addopen(&actions, 2, directory + "/stderr", O_WRONLY | O_CREAT, 0o644)
        case .socket(let handle):
            posix_spawn_file_actions_adddup2(&actions, handle.fileDescriptor, 0)
            posix_spawn_file_actions_adddup2(&actions, handle.fileDescriptor, 1)
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }

        // Threads of the cooperative pool block signals, which the child would inherit; its own group keeps a
        // Ctrl-C for the tests away from it.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

        let argv = (["env", "-C", directory] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var processID: pid_t = 0
        let error = posix_spawnp(&processID, "env", &actions, &attributes, argv, envp)
        guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .ENOENT) }
        self.processID = processID
    }

    /// The exit status, or the negative number of the signal that ended the program; `nil` while it runs.
    public var exitStatus: Int? {
        waitStatus.withLock { status in
            var latest: Int32 = 0
            if status == nil, waitpid(processID, &latest, WNOHANG) == processID { status = latest }
            return status.map { $0 & 0x7F == 0 ? Int($0 >> 8) & 0xFF : -Int($0 & 0x7F) }
        }
    }

    /// Waits for the end.
    ///
    /// - Returns: See ``exitStatus``.
    /// - Throws: ``Timeout``.
    @discardableResult
    public func end(within limit: Duration = .seconds(30)) async throws -> Int {
        try await eventually("the end of process \(processID)", within: limit) { exitStatus != nil }
        return exitStatus ?? 0
    }

    /// Sends a signal, if the program still runs.
    public func signal(_ number: Int32) {
        waitStatus.withLock { status in
            // The kernel gives the process id to no other process until somebody has waited for this one.
            if status == nil { _ = kill(processID, number) }
        }
    }
}
