/// Numbers written one after the other, small ones in one byte: seven bits in each, the last without the eighth (LEB128); signed
/// ones with the sign in the lowest bit (zigzag).
struct CompactWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func write(signed number: some SignedInteger & FixedWidthInteger) {
        let number = Int64(number)
        write(UInt64(bitPattern: number << 1 ^ number >> 63))
    }

    /// A count that is there, or `nil`.
    mutating func write(optional number: Int64?) {
        write(number == nil ? 0 : 1)
        if let number { write(signed: number) }
    }
}

/// Reads what a ``CompactWriter`` wrote.
struct CompactReader {
    /// What was read is not what was written.
    struct Malformed: Error {}

    private var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    var isAtEnd: Bool { bytes.isEmpty }

    mutating func unsigned() throws -> UInt64 {
        var number: UInt64 = 0
        for shift in stride(from: 0 as UInt64, to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { break }
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return number }
        }
        throw Malformed()
    }

    mutating func signed<Number: SignedInteger & FixedWidthInteger>(
        in range: ClosedRange<Number> = Number.min...Number.max
    ) throws -> Number {
        let number = try unsigned()
        let value = Number(exactly: Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1))
        guard let value, range.contains(value) else { throw Malformed() }
        return value
    }

    mutating func optional() throws -> Int64? { try unsigned() == 0 ? nil : try signed() }

    /// A place in a list.
    mutating func element<Element>(of list: [Element]) throws -> Element {
        let index = try unsigned()
        guard index < list.count else { throw Malformed() }
        return list[Int(index)]
    }

    /// As many elements as the next number says.
    mutating func list<Element>(
        _ element: (inout Self) throws -> Element
    ) throws -> [Element] {
        let count = try unsigned()
        // Each takes a byte at least.
        guard count <= bytes.count else { throw Malformed() }
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try element(&self)) }
        return elements
    }
}
