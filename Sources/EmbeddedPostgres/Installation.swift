#if canImport(Darwin)
    import Darwin
    import System
#else
    import Glibc
    import SystemPackage
#endif

/// A PostgreSQL server as installed on this machine.
struct Installation: Sendable {
    /// Where `initdb`, `postgres` and `pg_ctl` are.
    let binaries: FilePath
    /// The major version, for example 15.
    let major: Int

    /// Finds the installation for a data directory: one that can read the data; if there are none yet, that of the
    /// `pg_config` in the `PATH`, else the newest.
    ///
    /// - Parameter data: The data directory, which may be missing.
    /// - Throws: `EmbeddedPostgresError.notInstalled`, `EmbeddedPostgresError.versionMismatch`.
    static func find(for data: FilePath) async throws -> Installation {
        var installed: [Installation] = []
        for binaries in usualDirectories() {
            if let installation = await Installation(binaries: binaries) { installed.append(installation) }
        }
        installed.sort { $0.major > $1.major }
        if let output = try? await Account.current.run("pg_config", ["--bindir"], in: "/"),
            let installation = await Installation(binaries: FilePath(String(output.prefix { $0 != "\n" })))
        {
            installed.insert(installation, at: 0)
        }
        guard let preferred = installed.first else { throw EmbeddedPostgresError.notInstalled }
        guard let major = Int((try? firstLine(of: data.appending("PG_VERSION"))) ?? "") else { return preferred }
        guard let match = installed.first(where: { $0.major == major }) else {
            throw EmbeddedPostgresError.versionMismatch(
                directory: data.string, data: major, installed: Set(installed.map(\.major)).sorted())
        }
        return match
    }

    /// Looks for a server in a directory; `nil` if there is none.
    private init?(binaries: FilePath) async {
        let initdb = binaries.appending("initdb").string
        guard let version = try? await Account.current.run(initdb, ["--version"], in: "/"),
            let major = Int(version.drop { !$0.isNumber }.prefix { $0.isNumber })
        else { return nil }
        self.binaries = binaries
        self.major = major
    }

    /// The directories in which packages put servers' programs.
    private static func usualDirectories() -> [FilePath] {
        let debian = "/usr/lib/postgresql/*/bin"
        let redHat = "/usr/pgsql-*/bin,/usr/bin"
        let homebrew = "{/opt/homebrew,/usr/local}/opt/postgresql*/bin"
        var matches = glob_t()
        defer { globfree(&matches) }
        guard glob("{\(debian),\(redHat),\(homebrew)}/initdb", GLOB_BRACE, nil, &matches) == 0 else { return [] }
        return (0..<Int(matches.gl_pathc)).compactMap { matches.gl_pathv[$0] }
            .map { FilePath(String(cString: $0)).removingLastComponent() }
    }
}
