public import Model

/// A contact's place among those who wait: a higher priority comes first, then the older contact.
public struct QueuePlace: Sendable, Hashable, Comparable {
    public let priority: Int32
    public let contact: ContactID

    public init(priority: Int32, contact: ContactID) {
        self.priority = priority
        self.contact = contact
    }

    public static func < (one: Self, other: Self) -> Bool {
        one.priority != other.priority ? one.priority > other.priority : one.contact < other.contact
    }
}
