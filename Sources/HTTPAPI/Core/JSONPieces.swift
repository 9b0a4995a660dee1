import NIOCore

/// An array in JSON that is written while it is sent, so that a page is not in memory twice.
struct JSONPieces<Element: JSONEncodable & Sendable>: Pieces {
    /// In bytes, but for the last element.
    private static var size: Int { 64 << 10 }

    /// What was written already.
    private var first: ByteBuffer?
    private var rest: ArraySlice<Element>
    private var isOpen = false
    private var isClosed = false

    /// The array's first elements, in one piece if they fit.
    ///
    /// - Parameter limit: How many bytes there may be before it ends early, at least a piece.
    /// - Returns: What to answer, and of how many elements.
    static func body(of elements: ArraySlice<Element>, upTo limit: Int) -> (Response.Body, count: Int) {
        var pieces = Self(rest: elements)
        let first = pieces.next()!
        if pieces.isClosed { return (.whole(first), elements.count) }
        // How many more there will be has to be known before they are sent.
        var scratch = JSONWriter()
        var written = first.readableBytes
        let count = elements.count - pieces.rest.count
        pieces.rest = pieces.rest.prefix { element in
            guard written < limit else { return false }
            scratch.bytes.removeAll(keepingCapacity: true)
            element.write(to: &scratch)
            written += scratch.bytes.count + 1
            return true
        }
        pieces.first = first
        return (.pieces(pieces), count + pieces.rest.count)
    }

    private init(rest: ArraySlice<Element>) { self.rest = rest }

    mutating func next() -> ByteBuffer? {
        if let first {
            self.first = nil
            return first
        }
        guard !isClosed else { return nil }
        var json = JSONWriter()
        if !isOpen { json.bytes.append(UInt8(ascii: "[")) }
        while json.bytes.count < Self.size, let element = rest.popFirst() {
            if isOpen { json.bytes.append(UInt8(ascii: ",")) }
            isOpen = true
            element.write(to: &json)
        }
        isClosed = rest.isEmpty
        if isClosed { json.bytes.append(UInt8(ascii: "]")) }
        return ByteBuffer(bytes: json.bytes)
    }
}
