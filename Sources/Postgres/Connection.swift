import CLibpq

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How to reach PostgreSQL.
public struct ConnectionConfiguration: Sendable {
    /// A libpq connection string or URL; several hosts, TLS, service files and `PG…` variables work as in psql.
    public var url: String
    /// Whether statements are prepared once per connection. Off for a pooler in transaction mode that does not
    /// track prepared statements (PgBouncer before 1.21).
    public var preparesStatements: Bool
    /// Whether a server that cannot be written will do too, unless the URL says which one.
    public var acceptsReadOnly = false

    public init(url: String, preparesStatements: Bool = true) {
        self.url = url
        self.preparesStatements = preparesStatements
    }

    /// Whether libpq can read the URL, and reads no part of a password as something else. What it says of a URL that it
    /// cannot use quotes parts of it.
    public var isWellFormed: Bool {
        if let prefix = ["postgresql://", "postgres://"].first(where: url.hasPrefix) {
            // libpq ends a password at the first "@", and looks for none behind the first "/".
            let parts = url.dropFirst(prefix.count).split(separator: "@", omittingEmptySubsequences: false)
            guard parts.count == 1 || parts.count == 2 && !parts[0].contains("/") else { return false }
        } else if !url.contains("=") {
            // The name of a database, or a URL with a slip at its beginning.
            return !url.contains("@") && !url.contains("/")
        }
        guard let options = PQconninfoParse(url, nil) else { return false }
        defer { PQconninfoFree(options) }
        // Without a host behind it "user:password" is read as a host and its port.
        let port = sequence(first: options) { $0 + 1 }.prefix { $0.pointee.keyword != nil }
            .first { String(cString: $0.pointee.keyword) == "port" }?.pointee.val
        return port.map { String(cString: $0).split(separator: ",").allSatisfy { UInt16($0) != nil } } ?? true
    }

    /// Whether no server answers, or one that is starting or stopping: what a later try may find changed.
    public var isServerAway: Bool {
        isWellFormed && [PQPING_REJECT, PQPING_NO_RESPONSE].contains(withKeywords { PQpingParams($0, $1, 1) })
    }

    /// The SQLSTATE with which the server refuses a connection, found by one more attempt; `nil`: it does not answer, or
    /// lets in. What ``Connection/init(_:)`` throws has the server's words, in the server's language.
    public var refusal: String? {
        guard let handle = withKeywords({ PQconnectStartParams($0, $1, 1) }) else { return nil }
        defer { PQfinish(handle) }
        PQsetErrorVerbosity(handle, PQERRORS_SQLSTATE)
        // Connects anew, with this verbosity and the timeouts.
        PQreset(handle)
        guard PQstatus(handle) != CONNECTION_OK else { return nil }
        // "… failed: FATAL:  28P01", in the last line for the last host.
        let word = String(cString: PQerrorMessage(handle)).split { $0.isWhitespace }.last.map(String.init)
        return word?.wholeMatch(of: /[0-9A-Z]{5}/).map { String($0.output) }
    }

    /// Hands out libpq's keywords and values, as C strings in arrays that end with NULL.
    fileprivate func withKeywords<R>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        // Earlier keywords are defaults: what the URL in `dbname` says comes later and wins.
        let settings = [
            ("fallback_application_name", "leads-crm"), ("connect_timeout", "3"), ("tcp_user_timeout", "10000"),
            ("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3"),
            ("target_session_attrs", acceptsReadOnly ? "any" : "read-write"), ("dbname", url),
            ("client_encoding", "UTF8"),
        ]
        let keywords = settings.map { UnsafePointer(strdup($0.0)) } + [nil]
        let values = settings.map { UnsafePointer(strdup($0.1)) } + [nil]
        defer { for pointer in keywords + values { free(UnsafeMutableRawPointer(mutating: pointer)) } }
        return body(keywords, values)
    }
}

/// One connection to PostgreSQL through libpq. Blocks its thread, which owns it.
///
/// Every call sends its queries in one flight (libpq's pipeline mode) and waits for all the answers, at most
/// until ``deadline``. Nothing is cancelled then, as libpq's way to do that may block: the server notices within a
/// second that the connection is closed. After ``PostgresError/connectionLost(_:)``, ``PostgresError/deadlineExceeded`` or
/// ``PostgresError/commitOutcomeUnknown(_:)`` the connection is of no further use.
public struct Connection: ~Copyable {
    private let handle: OpaquePointer
    private let preparesStatements: Bool
    private var preparedNames: Set<String> = []
    private let notices: Notices

    /// When to give up waiting for an answer; `nil`: never.
    public var deadline: ContinuousClock.Instant?

    /// Connects, within 3 seconds per host unless the URL says otherwise.
    ///
    /// - Throws: ``PostgresError/connectionLost(_:)`` with libpq's reason, which has no password.
    public init(_ configuration: ConnectionConfiguration) throws(PostgresError) {
        self.init(try Self.connect(configuration), configuration)
        deadline = .now + .seconds(3)
        // A server that does not have all of these settings goes on without; one that is lost again is found out soon.
        _ = try? run(Self.watchClient())
        deadline = nil
    }

    private init(_ handle: OpaquePointer, _ configuration: ConnectionConfiguration) {
        self.handle = handle
        preparesStatements = configuration.preparesStatements
        notices = Notices(of: handle)
    }

    private static func connect(_ configuration: ConnectionConfiguration) throws(PostgresError) -> OpaquePointer {
        guard configuration.isWellFormed else {
            throw .connectionLost(
                "the database URL cannot be read (it is not shown: it may hold a password, whose special characters "
                    + "are to be written as %XX)")
        }
        guard let handle = configuration.withKeywords({ PQconnectdbParams($0, $1, 1) }) else {
            throw .connectionLost("out of memory")
        }
        guard PQstatus(handle) == CONNECTION_OK, PQsetnonblocking(handle, 1) == 0 else {
            let reason = String(cString: PQerrorMessage(handle))
            PQfinish(handle)
            throw .connectionLost(reason)
        }
        return handle
    }

    deinit { PQfinish(handle) }

    /// Makes the server notice soon that the client is gone or silent, also while it works for it or sends to it. Not by
    /// libpq's `options`, which PgBouncer refuses.
    private static let watchClient = Statement(
        unprepared: """
            SELECT set_config('client_connection_check_interval', '1s', false),
                set_config('tcp_user_timeout', '10s', false), set_config('tcp_keepalives_idle', '5', false),
                set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)
            """)

    /// Whether the connection can take the next job: open, outside any transaction, nothing unread.
    public var isIdle: Bool {
        // An idle socket that can be read brings the end of the connection or a last word before it.
        PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE && !isReadable()
    }

    /// PostgreSQL's version, for example 150018.
    public var serverVersion: Int { Int(PQserverVersion(handle)) }

    /// Where it leads, for people to read: host, port, database and user.
    public var destination: String {
        func text(_ value: UnsafeMutablePointer<CChar>?) -> String { value.map { String(cString: $0) } ?? "" }
        return
            "\(text(PQhost(handle))):\(text(PQport(handle))), database \(text(PQdb(handle))), user \(text(PQuser(handle)))"
    }

    /// The process that serves this connection, as it was told; a pooler tells another one than `pg_backend_pid()`.
    public var backendProcessID: Int32 { PQbackendPID(handle) }

    /// Runs one query in a transaction of its own, or in the one that is open.
    public mutating func run(_ query: Query) throws(PostgresError) -> QueryResult {
        try run([query])[0]
    }

    /// Runs queries in one flight, in order, up to the first that fails.
    ///
    /// - Parameters:
    ///   - queries: Sent together; none can use another's answer.
    ///   - committing: Whether the last one is the `COMMIT` of an open transaction.
    /// - Returns: One result for each query.
    /// - Throws: ``PostgresError/server(_:)`` of the first query that failed; a transaction that was open is then
    ///   failed and wants ``rollBack()``. With `committing`, a loss of the connection that leaves the outcome open
    ///   is ``PostgresError/commitOutcomeUnknown(_:)``; so is, always, a commit that did not wait for a synchronous
    ///   standby because somebody cancelled that.
    public mutating func run(_ queries: [Query], committing: Bool = false) throws(PostgresError) -> [QueryResult] {
        do {
            let results = try exchange(queries)
            try checkReplication()
            return results
        } catch .connectionLost(let reason) where committing {
            throw .commitOutcomeUnknown(reason)
        } catch .deadlineExceeded where committing {
            throw .commitOutcomeUnknown("no answer to COMMIT in time")
        }
    }

    /// Undoes an open transaction, failed or not.
    public mutating func rollBack() throws(PostgresError) {
        guard PQtransactionStatus(handle) != PQTRANS_IDLE else { return }
        _ = try run(Self.rollBack())
    }

    private static let rollBack = Statement(unprepared: "ROLLBACK")

    /// Runs a text of several statements by the simple protocol, in one transaction unless it says otherwise.
    public mutating func run(script: String) throws(PostgresError) {
        guard PQsendQuery(handle, script) == 1 else { throw lost() }
        var failure: PostgresError?
        while let result = try nextResult() {
            let status = PQresultStatus(result)
            if status == PGRES_FATAL_ERROR, failure == nil { failure = .server(ServerError(result)) }
            PQclear(result)
        }
        if let failure { throw failure }
        try checkReplication()
    }

    private func checkReplication() throws(PostgresError) {
        if notices.takeUnreplicatedCommit() { throw .commitOutcomeUnknown("the wait for the standby was cancelled") }
    }

    // MARK: - One flight

    private mutating func exchange(_ queries: [Query]) throws(PostgresError) -> [QueryResult] {
        guard PQenterPipelineMode(handle) == 1 else { throw lost() }
        var results: [QueryResult] = []
        var failure: ServerError?
        let sent = try send(queries)
        for kind in sent {
            let result = try expectResult()
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
                switch kind {
                case .preparation(let name):
                    preparedNames.insert(name)
                    PQclear(result)
                case .query: results.append(QueryResult(owning: result))
                }
            case PGRES_PIPELINE_ABORTED: PQclear(result)
            default:
                let error = ServerError(result)
                PQclear(result)
                failure = failure ?? error
            }
            // Each query's results end with NULL.
            while let extra = try nextResult() { PQclear(extra) }
        }
        let end = try expectResult()
        defer { PQclear(end) }
        // A connection that is lost ends the flight with one more error instead.
        guard PQresultStatus(end) == PGRES_PIPELINE_SYNC, PQexitPipelineMode(handle) == 1 else { throw lost() }
        if let failure { throw .server(failure) }
        return results
    }

    private enum Sent {
        case preparation(String)
        case query
    }

    private mutating func send(_ queries: [Query]) throws(PostgresError) -> [Sent] {
        var sent: [Sent] = []
        for query in queries {
            let statement = query.statement
            let name = preparesStatements ? statement.name : nil
            if let name, !preparedNames.contains(name),
                !sent.contains(where: { if case .preparation(name) = $0 { true } else { false } })
            {
                guard PQsendPrepare(handle, name, statement.sql, 0, nil) == 1 else { throw lost() }
                sent.append(.preparation(name))
            }
            let parameters = EncodedParameters(query.parameters)
            let isSent = parameters.bytes.withUnsafeBufferPointer { bytes in
                // libpq takes an empty value for NULL when its pointer is nil, which an empty buffer's may be.
                let base = UnsafeRawPointer(bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!)
                let values = parameters.ranges.map { range in
                    range.length < 0 ? nil : (base + range.offset).assumingMemoryBound(to: CChar.self)
                }
                let lengths = parameters.ranges.map { Int32(max(0, $0.length)) }
                let formats = [Int32](repeating: 1, count: values.count)
                return if let name {
                    PQsendQueryPrepared(handle, name, Int32(values.count), values, lengths, formats, 1)
                } else {
                    PQsendQueryParams(handle, statement.sql, Int32(values.count), nil, values, lengths, formats, 1)
                }
            }
            guard isSent == 1 else { throw lost() }
            sent.append(.query)
        }
        guard PQpipelineSync(handle) == 1 else { throw lost() }
        return sent
    }

    private func expectResult() throws(PostgresError) -> OpaquePointer {
        guard let result = try nextResult() else { throw lost() }
        return result
    }

    /// The next result, `nil` at the end of a query's results.
    private func nextResult() throws(PostgresError) -> OpaquePointer? {
        while PQisBusy(handle) == 1 {
            let unsent = PQflush(handle)
            guard unsent >= 0 else { throw lost() }
            // Reading goes on while there is more to send, so that two full buffers cannot block each other.
            try wait(for: unsent == 1 ? Int16(POLLIN | POLLOUT) : Int16(POLLIN))
            guard PQconsumeInput(handle) == 1 else {
                if PQisBusy(handle) == 0 { break }
                throw lost()
            }
        }
        return PQgetResult(handle)
    }

    private func wait(for events: Int16) throws(PostgresError) {
        var entry = pollfd(fd: PQsocket(handle), events: events, revents: 0)
        while true {
            var timeout: Int32 = -1
            if let deadline {
                let left = deadline - .now
                guard left > .zero else { throw .deadlineExceeded }
                let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
                timeout = Int32(clamping: milliseconds + 1)
            }
            let ready = poll(&entry, 1, timeout)
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw lost() }
        }
    }

    private func isReadable() -> Bool {
        var entry = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) != 0
    }

    private func lost() -> PostgresError { .connectionLost(String(cString: PQerrorMessage(handle))) }
}

/// What the server says beside its answers. All of it is passed over but one warning: `COMMIT` is answered as if it had
/// succeeded when somebody cancels its wait for a synchronous standby (`SyncRepWaitForLSN` of PostgreSQL's `syncrep.c`).
private final class Notices {
    private var hasUnreplicatedCommit = false

    init(of handle: OpaquePointer) {
        let receiver: PQnoticeReceiver = { context, notice in
            guard let function = PQresultErrorField(notice, Int32(Character("R").asciiValue!)),
                strcmp(function, "SyncRepWaitForLSN") == 0
            else { return }
            Unmanaged<Notices>.fromOpaque(context!).takeUnretainedValue().hasUnreplicatedCommit = true
        }
        PQsetNoticeReceiver(handle, receiver, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Whether there was such a commit since the last call.
    func takeUnreplicatedCommit() -> Bool {
        defer { hasUnreplicatedCommit = false }
        return hasUnreplicatedCommit
    }
}

extension ServerError {
    init(_ result: OpaquePointer) {
        func field(_ code: Character) -> String? {
            PQresultErrorField(result, Int32(code.asciiValue!)).map { String(cString: $0) }
        }
        // PG_DIAG_SQLSTATE, PG_DIAG_CONSTRAINT_NAME and PG_DIAG_MESSAGE_PRIMARY of postgres_ext.h. An error that
        // libpq made itself has no SQLSTATE: it is always about the connection.
        sqlState = field("C") ?? "08006"
        constraint = field("n")
        message = field("M") ?? String(cString: PQresultErrorMessage(result))
    }
}
