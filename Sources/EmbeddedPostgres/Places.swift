#if canImport(Darwin)
    import Darwin
    import System
#else
    import Glibc
    import SystemPackage
#endif

/// Makes sure that a directory exists and `account` can enter it; the account does not become its owner.
///
/// If the account cannot, which only happens to root, the directory becomes a link to a new one in
/// `/var/lib/leads-crm`. Several processes may do this at once.
///
/// - Returns: The directory as an absolute path free of links.
/// - Throws: `EmbeddedPostgresError.file`, `EmbeddedPostgresError.unreachable`.
func place(_ path: FilePath, for account: Account) async throws -> FilePath {
    var directory = try resolved(".").pushing(path)
    if await account.canEnter(exists(directory) ? directory : directory.removingLastComponent()) {
        try createDirectory(directory, mode: 0o755)
    } else {
        let shared: FilePath = "/var/lib/leads-crm"
        try createDirectory(shared, mode: 0o755)
        let target = try temporaryDirectory(shared.appending("cluster."))
        try check(target, chmod(target.string, 0o755))
        // An empty directory gives way to the link; anything else, a link that is there already included, stays.
        rmdir(directory.string)
        if symlink(target.string, directory.string) != 0 { rmdir(target.string) }
    }
    directory = try resolved(directory)
    guard await account.canEnter(directory) else { throw EmbeddedPostgresError.unreachable(directory.string) }
    return directory
}

/// The directory of the unix socket of the server in `directory`: `socket` there, unless the socket's path would be too
/// long for the system or confuse libpq.
func placeOfSocket(of directory: FilePath, port: String) -> FilePath {
    let place = directory.appending("socket")
    let limit = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
    // libpq takes a comma for the end of one host's name and the beginning of another's.
    if "\(place)/.s.PGSQL.\(port)".utf8.count < limit, !"\(place)".contains(",") { return place }
    // FNV-1a: all it takes is that two directories rarely share a name.
    let hash = "\(place)".utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return FilePath("/tmp/leads-crm-" + String(hash, radix: 16))
}

/// Makes sure that a directory exists and only `account` (and root) can enter it.
///
/// Throws `EmbeddedPostgresError.file`, `EmbeddedPostgresError.insecureSocketDirectory`.
func makePrivateDirectory(_ path: FilePath, for account: Account) throws {
    try createDirectory(path, mode: 0o700)
    var status = stat()
    try check(path, lstat(path.string, &status))
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o077 == 0,
        [Account.current.user, account.user].contains(status.st_uid)
    else { throw EmbeddedPostgresError.insecureSocketDirectory(path.string) }
    try account.own(path)
}

/// Creates a directory unless there is something of that name.
///
/// Throws `EmbeddedPostgresError.file`.
private func createDirectory(_ path: FilePath, mode: mode_t) throws {
    if mkdir(path.string, mode) != 0, errno != EEXIST { try check(path, -1) }
}

/// Makes a directory with a name of its own, which begins with `prefix`, for the current account only.
///
/// Throws `EmbeddedPostgresError.file`.
func temporaryDirectory(_ prefix: FilePath) throws -> FilePath {
    var name = Array("\(prefix)XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { throw EmbeddedPostgresError.file("\(prefix)", Errno(rawValue: errno)) }
    return FilePath(String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
}

func exists(_ path: FilePath) -> Bool {
    access(path.string, F_OK) == 0
}

/// The first line of a short file.
///
/// Throws `EmbeddedPostgresError.file`.
func firstLine(of path: FilePath) throws -> Substring {
    try naming(path) {
        let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        defer { try? file.close() }
        let bytes = try [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        return String(decoding: bytes, as: UTF8.self).prefix { $0 != "\n" }
    }
}

private func resolved(_ path: FilePath) throws -> FilePath {
    guard let name = realpath(path.string, nil) else {
        throw EmbeddedPostgresError.file(path.string, Errno(rawValue: errno))
    }
    defer { free(name) }
    return FilePath(String(cString: name))
}
