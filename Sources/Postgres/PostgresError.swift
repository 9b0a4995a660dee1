/// Everything that can go wrong between this process and PostgreSQL.
///
/// `description` is safe to show: it never carries SQL, parameters or a host. The details are in the
/// associated values, for the log.
public enum PostgresError: Error, Sendable, CustomStringConvertible {
    /// There is no connection, or it broke; whatever was under way and had not begun to commit is undone.
    case connectionLost(String)
    /// PostgreSQL refused a statement.
    case server(ServerError)
    /// An answer did not have the shape that the code expects.
    case decoding(String)
    /// The connection broke while COMMIT was under way: the transaction is either durable or undone.
    case commitOutcomeUnknown(String)
    /// Too many jobs wait for a connection; this one was not started.
    case queueFull
    /// The deadline passed; nothing was started, or the statement was given up before it could commit.
    case deadlineExceeded
    /// The service is stopping; the job was not started.
    case closed

    public var description: String {
        switch self {
        case .connectionLost: "connection to PostgreSQL lost"
        case .server(let error): "PostgreSQL error \(error.sqlState)"
        case .decoding: "unexpected answer from PostgreSQL"
        case .commitOutcomeUnknown: "connection to PostgreSQL lost during COMMIT"
        case .queueFull: "too many requests wait for PostgreSQL"
        case .deadlineExceeded: "deadline exceeded"
        case .closed: "shutting down"
        }
    }

    /// For the log: the description with what PostgreSQL or libpq said.
    public var details: String {
        switch self {
        case .connectionLost(let text), .decoding(let text), .commitOutcomeUnknown(let text):
            "\(description): \(text)"
        case .server(let error): "\(description) (\(error.constraint ?? "no constraint")): \(error.message)"
        case .queueFull, .deadlineExceeded, .closed: description
        }
    }
}

/// What PostgreSQL says of a refused statement.
public struct ServerError: Sendable, Equatable {
    /// Five characters, see appendix A of PostgreSQL's manual.
    public let sqlState: String
    /// The violated constraint, as it is named in `sql/migrations`.
    public let constraint: String?
    /// The primary message. May quote user data's column names, never shown to clients.
    public let message: String

    public init(sqlState: String, constraint: String?, message: String) {
        self.sqlState = sqlState
        self.constraint = constraint
        self.message = message
    }

    /// What the SQLSTATE means for whoever sent the statement.
    public var kind: Kind { Kind(sqlState: sqlState) }

    /// The classes of SQLSTATEs that something can be done about: the only table of them. In all but `other` the
    /// transaction is undone.
    public enum Kind: Sendable {
        /// The transaction lost against a concurrent one and may simply be run again.
        case conflict
        /// A lock was not to be had in `lock_timeout`.
        case locked
        /// The statement was given up: `statement_timeout`, a cancel request.
        case cancelled
        /// This server cannot serve now (shutting down, starting up, read only, its disk failing), or has ended the
        /// session; another connection might be served.
        case serverAway
        /// The server lacks memory, disk space, connections or locks for now, whatever the statement is.
        case overloaded
        /// The values do not fit, or a constraint forbids them.
        case data
        case other

        init(sqlState: String) {
            self =
                switch sqlState {
                case "40001", "40P01": .conflict
                case "55P03": .locked
                case "57014": .cancelled
                // 57P05, 25P03 and 25P04 are limits of a session that stood still.
                case "25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05": .serverAway
                default:
                    switch sqlState.prefix(2) {
                    case "08", "58": .serverAway
                    case "53": .overloaded
                    case "22", "23": .data
                    default: .other
                    }
                }
        }
    }
}
