/// A part of a list, ordered by id.
public struct Page: Sendable, Equatable {
    /// The most entries.
    public var limit: Int
    /// The last id that was seen already; 0 starts at the beginning.
    public var after: Int64

    public init(limit: Int = 1000, after: Int64 = 0) {
        self.limit = limit
        self.after = after
    }

    /// Some size, in bytes of texts, at which a page ends though there could be more entries on it.
    public static let sizeLimit = 8 << 20
}

/// What a list has on a page.
public struct Listing<Element: Sendable>: Sendable {
    /// May have more elements than belong on the page: then the list goes on after it.
    public let elements: [Element]
    /// Whether the list goes on after the last of the elements.
    public let goesOn: Bool

    public init(elements: [Element], goesOn: Bool = false) {
        self.elements = elements
        self.goesOn = goesOn
    }
}
