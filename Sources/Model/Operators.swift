/// A person who takes contacts.
public struct Operator: Sendable, Equatable {
    public let id: OperatorID
    public var name: String
    public var isActive: Bool
    /// The most active contacts this operator may hold at once, at least 1.
    public var maxLoad: Int32
    /// The number of active contacts this operator holds.
    public var currentLoad: Int32
    public let createdAt: Timestamp
    public var updatedAt: Timestamp?

    public init(
        id: OperatorID, name: String, isActive: Bool, maxLoad: Int32, currentLoad: Int32, createdAt: Timestamp,
        updatedAt: Timestamp?
    ) {
        self.id = id
        self.name = name
        self.isActive = isActive
        self.maxLoad = maxLoad
        self.currentLoad = currentLoad
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// What to change of an operator; `nil` leaves it as it is.
public struct OperatorPatch: Sendable, Equatable {
    public let name: String?
    public let isActive: Bool?
    /// At least 1.
    public let maxLoad: Int32?

    public init(name: String? = nil, isActive: Bool? = nil, maxLoad: Int32? = nil) {
        self.name = name
        self.isActive = isActive
        self.maxLoad = maxLoad
    }
}

/// What became of the contacts that were taken from an operator.
public struct Release: Sendable, Equatable {
    public var released: Int
    /// Those of them that have another operator now.
    public var reassigned: Int
    /// Those that wait.
    public var waiting: Int

    public init(released: Int = 0, reassigned: Int = 0, waiting: Int = 0) {
        self.released = released
        self.reassigned = reassigned
        self.waiting = waiting
    }

    public static func + (one: Release, other: Release) -> Release {
        Release(
            released: one.released + other.released, reassigned: one.reassigned + other.reassigned,
            waiting: one.waiting + other.waiting)
    }
}
