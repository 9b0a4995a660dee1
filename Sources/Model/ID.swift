/// The identity of a record, as PostgreSQL's `bigint`.
///
/// `Entity` is never instantiated: it keeps an operator's id from being used as a contact's.
public struct ID<Entity>: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    @inlinable
    public init(rawValue: Int64) { self.rawValue = rawValue }

    @inlinable
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    @inlinable
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    public var description: String { String(rawValue) }
}

/// The entities that an ``ID`` can name.
public enum Entity {
    public enum Operator: Sendable {}
    public enum Source: Sendable {}
    public enum Lead: Sendable {}
    public enum Contact: Sendable {}
}

public typealias OperatorID = ID<Entity.Operator>
public typealias SourceID = ID<Entity.Source>
public typealias LeadID = ID<Entity.Lead>
public typealias ContactID = ID<Entity.Contact>
