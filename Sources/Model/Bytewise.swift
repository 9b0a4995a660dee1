/// A text that is equal to another as it is to PostgreSQL: byte by byte. `String` takes canonically equivalent texts
/// for equal, for example "й" as one scalar and as two.
public struct Bytewise: Hashable, Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public static func == (a: Self, b: Self) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
