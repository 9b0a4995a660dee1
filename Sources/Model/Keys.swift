/// What a key allows.
public enum Scope: String, Sendable, CaseIterable {
    /// Registers contacts.
    case register
    /// Reads what is stored.
    case read
    /// Reads, and changes contacts.
    case operate
    /// Reads the metrics.
    case metrics
    /// May do all.
    case admin

    /// Whether who has this scope may do what needs the other one.
    public func covers(_ other: Scope) -> Bool {
        self == other || self == .admin || self == .operate && other == .read
    }
}

/// A key to the API, without its secret.
public struct APIKey: Sendable, Equatable {
    /// Eight letters and digits.
    public let id: String
    public let name: String
    public let scopes: [Scope]
    /// The sources at which it registers contacts; `nil`: all.
    public let sources: [SourceID]?
    /// Requests a second, at each instance; `nil`: without limit.
    public let rateLimit: Int32?
    public let createdAt: Timestamp
    public let expiresAt: Timestamp?

    public init(
        id: String, name: String, scopes: [Scope], sources: [SourceID]?, rateLimit: Int32?, createdAt: Timestamp,
        expiresAt: Timestamp?
    ) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.sources = sources
        self.rateLimit = rateLimit
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    public func allows(_ scope: Scope) -> Bool { scopes.contains { $0.covers(scope) } }
}

/// A key to be made.
public struct NewAPIKey: Sendable, Equatable {
    public let name: String
    public let scopes: [Scope]
    /// `nil`: all.
    public let sources: [SourceID]?
    /// Requests a second; `nil`: without limit.
    public let rateLimit: Int32?
    public let expiresAt: Timestamp?

    public init(
        name: String, scopes: [Scope], sources: [SourceID]? = nil, rateLimit: Int32? = nil, expiresAt: Timestamp? = nil
    ) {
        self.name = name
        self.scopes = scopes
        self.sources = sources
        self.rateLimit = rateLimit
        self.expiresAt = expiresAt
    }
}
