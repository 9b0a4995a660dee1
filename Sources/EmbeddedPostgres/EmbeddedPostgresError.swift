#if canImport(Darwin)
    import Darwin
    import System
#else
    import Glibc
    import SystemPackage
#endif

/// Why a private PostgreSQL could not be started or stopped.
public enum EmbeddedPostgresError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No PostgreSQL server was found on this machine.
    case notInstalled
    /// The caller is root, whom PostgreSQL refuses, and there is no account `postgres` to run it under.
    case noServerAccount
    /// The caller is root, and the account `postgres` cannot enter this directory, which is not empty.
    case unreachable(String)
    /// The directory holds data of a major version that none of the installed ones can read.
    case versionMismatch(directory: String, data: Int, installed: [Int])
    /// The directory meant for the socket exists, but belongs to, or is open to, somebody else.
    case insecureSocketDirectory(String)
    /// A file or directory could not be created, opened or changed.
    case file(String, Errno)
    /// One of PostgreSQL's programs failed; with what it printed and, for the server, the tail of its log.
    case failed(program: String, output: String)

    public var description: String {
        switch self {
        case .notInstalled:
            """
            No PostgreSQL server is installed. Install one (Debian, Ubuntu: apt-get install postgresql; \
            macOS: brew install postgresql), or name a database in DATABASE_URL.
            """
        case .noServerAccount:
            """
            PostgreSQL refuses to run as root, and there is no account `postgres` to run it under. \
            Start as another user, or name a database in DATABASE_URL.
            """
        case .unreachable(let directory):
            "The account `postgres`, which runs PostgreSQL when started by root, cannot enter \(directory)."
        case .versionMismatch(let directory, let data, let installed):
            """
            \(directory) holds data of PostgreSQL \(data), and installed is \
            \(installed.map(String.init).joined(separator: ", ")). Install PostgreSQL \(data), or dump \
            the data with it and restore them into a new directory.
            """
        case .insecureSocketDirectory(let directory):
            "\(directory) is not a directory that only PostgreSQL's account can enter. Remove it."
        case .file(let path, let error):
            "\(path): \(error)"
        case .failed(let program, let output):
            "\(program) failed:\n\(output)"
        }
    }
}

/// Runs `body`; an `Errno` that it throws becomes `EmbeddedPostgresError.file` with the path.
func naming<Result>(_ path: FilePath, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as Errno { throw EmbeddedPostgresError.file(path.string, error) }
}

/// Throws `EmbeddedPostgresError.file` when `status`, the result of a POSIX call about `path`, is -1.
func check(_ path: FilePath, _ status: Int32) throws {
    if status == -1 { throw EmbeddedPostgresError.file(path.string, Errno(rawValue: errno)) }
}
