import NIOCore

/// An array in JSON that is written while it is sent, so that a page is not in memory twice.
struct JSONPieces<Element: JSONEncodable & Sendable>: Pieces {
    /// In bytes, but for the last element.
    private static var size: Int { 64 << 10 }

    private var rest: ArraySlice<Element>
    private var isOpen = false
    private var isClosed = false

    /// The array's first elements, in one piece if they fit.
    ///
    /// - Parameter limit: How many bytes there may be before it ends early; the first element is always written.
    /// - Returns: What to answer, and of how many elements.
    static func body(of elements: ArraySlice<Element>, upTo limit: Int) -> (Response.Body, count: Int) {
        var scratch = JSONWriter()
        var written = 0
        let fitting = elements.prefix { element in
            guard written < limit else { return false }
            scratch.bytes.removeAll(keepingCapacity: true)
            element.write(to: &scratch)
            written += scratch.bytes.count + 1
            return true
        }
        var pieces = Self(rest: fitting)
        return (written < size ? .whole(pieces.next()!) : .pieces(pieces), fitting.count)
    }

    private init(rest: ArraySlice<Element>) { self.rest = rest }

    mutating func next() -> ByteBuffer? {
        guard !isClosed else { return nil }
        var json = JSONWriter()
        json.bytes.append(UInt8(ascii: isOpen ? "," : "["))
        while json.bytes.count < Self.size, let element = rest.popFirst() {
            if json.bytes.count > 1 { json.bytes.append(UInt8(ascii: ",")) }
            element.write(to: &json)
        }
        isOpen = true
        isClosed = rest.isEmpty
        if isClosed { json.bytes.append(UInt8(ascii: "]")) }
        return ByteBuffer(bytes: json.bytes)
    }
}
