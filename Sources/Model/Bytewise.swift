/// A text that is equal to another as it is to PostgreSQL: byte by byte. `String` takes canonically equivalent texts
/// for equal, for example "й" as one scalar and as two.
public struct Bytewise: Hashable, Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public static func == (a: Self, b: Self) -> Bool { a.text.hasBytes(of: b.text) }

    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension String {
    /// Whether the bytes are the same. To compare characters, of which some are equal that differ in their bytes, can
    /// take a hundred times as long.
    @inlinable public func hasBytes(of other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
