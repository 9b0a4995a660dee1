#if canImport(Darwin)
    import Darwin
    import System
#else
    import Glibc
    import SystemPackage
#endif

/// An advisory lock on a file, as `flock(2)` gives it.
///
/// It is released with the last reference to the object, or at the end of the process.
final class FileLock: Sendable {
    private let path: FilePath
    private let descriptor: FileDescriptor

    /// Opens the file, creating it when needed, and locks nothing yet.
    ///
    /// Throws `EmbeddedPostgresError.file`.
    init(_ path: FilePath) throws {
        self.path = path
        // Close-on-exec: a postmaster that inherited the descriptor would hold the lock as long as it lives.
        descriptor = try naming(path) {
            try .open(path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        }
    }

    deinit { try? descriptor.close() }

    /// Runs `body` while nobody else holds the lock in any mode, waiting for that without blocking a thread.
    ///
    /// Throws `EmbeddedPostgresError.file` when the file system knows no locks.
    func exclusively<Result>(_ body: () async throws -> Result) async throws -> Result {
        while try !tryLock(LOCK_EX) { try await Task.sleep(for: .milliseconds(20)) }
        defer { unlock() }
        return try await body()
    }

    /// Takes the lock, or changes its mode, if that is possible at once.
    ///
    /// - Parameter mode: `LOCK_SH` or `LOCK_EX`.
    /// - Returns: Whether the lock is held in that mode now. When it is not, it is not held at all.
    /// - Throws: `EmbeddedPostgresError.file` when the file system knows no locks.
    func tryLock(_ mode: Int32) throws -> Bool {
        if flock(descriptor.rawValue, mode | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK else {
            throw EmbeddedPostgresError.file(path.string, Errno(rawValue: errno))
        }
        return false
    }

    func unlock() {
        flock(descriptor.rawValue, LOCK_UN)
    }
}
