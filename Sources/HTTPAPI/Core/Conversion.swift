import Model

/// How a JSON value is read: in pydantic's lax mode, where what is plainly meant is taken.
///
/// Values of a path or query are read as JSON strings.
struct Conversion<Value> {
    /// What is read where there is a fault, so that the rest can be read. ``Input`` lets none of it out.
    let placeholder: Value
    /// What clients should send.
    let schema: () -> Schema
    let convert: (JSON) throws(Misfit) -> Value
}

extension Conversion where Value == String {
    /// - Parameter limit: The most characters (Unicode scalars) there may be.
    static func text(upTo limit: Int = .max) -> Self {
        Self(placeholder: "", schema: { .text(upTo: limit) }) { json throws(Misfit) in
            guard case .string(let text) = json else { throw .noString }
            // Bytes are counted at once, scalars one by one; there are never fewer bytes.
            guard text.utf8.count <= limit || text.unicodeScalars.count <= limit else { throw .tooLong(limit) }
            // PostgreSQL's text has no such character.
            guard !text.hasByte(0) else { throw .nulCharacter }
            return text
        }
    }
}

extension Conversion where Value == Bool {
    static var boolean: Self {
        Self(placeholder: false, schema: { .flag }) { json throws(Misfit) in
            switch json {
            case .bool(let value): return value
            case .integer(0), .number(0): return false
            case .integer(1), .number(1): return true
            case .integer: throw .unreadableBoolean
            // No word is longer than `false`.
            case .string(let text) where text.utf8.count <= 5:
                switch text.lowercased() {
                case "0", "off", "f", "false", "n", "no": return false
                case "1", "on", "t", "true", "y", "yes": return true
                default: throw .unreadableBoolean
                }
            case .string: throw .unreadableBoolean
            case .null, .number, .array, .object: throw .noBoolean
            }
        }
    }
}

extension Conversion where Value: CaseIterable & RawRepresentable<String> & JSONEncodable {
    /// One of the type's words.
    static var word: Self {
        Self(placeholder: Value.allCases.first!, schema: { Value.schema }) { json throws(Misfit) in
            guard case .string(let text) = json,
                let value = Value.allCases.first(where: { text.hasBytes(of: $0.rawValue) })
            else { throw .noWord(of: Value.allCases.map(\.rawValue)) }
            return value
        }
    }
}

extension Conversion where Value == Int32 {
    /// A contact's priority.
    static var priority: Self {
        Self(placeholder: 0, schema: { .priority }, convert: integer(in: 0...9).convert)
    }
}

extension Conversion where Value == [JSON] {
    /// The elements of a list, as they are.
    static func elements(_ schema: @escaping @autoclosure () -> Schema, in range: ClosedRange<Int>) -> Self {
        Self(placeholder: [], schema: { .array(of: schema(), in: range) }) { json throws(Misfit) in
            guard case .array(let elements) = json else { throw .noList }
            guard elements.count >= range.lowerBound else { throw .tooFew(elements.count, least: range.lowerBound) }
            guard elements.count <= range.upperBound else { throw .tooMany(elements.count, limit: range.upperBound) }
            return elements
        }
    }
}

extension Conversion where Value == Timestamp {
    static var timestamp: Self {
        Self(placeholder: Timestamp(microsecondsSince2000: 0), schema: { Timestamp.schema }) { json throws(Misfit) in
            guard case .string(let text) = json, let time = Timestamp(rfc3339: text) else { throw .noTimestamp }
            return time
        }
    }
}

extension Conversion where Value: FixedWidthInteger {
    static func integer(in range: ClosedRange<Value>) -> Self {
        Self(placeholder: range.lowerBound, schema: { .integer(in: range) }) { json throws(Misfit) in
            Value(try json.integer(in: Int64(range.lowerBound)...Int64(range.upperBound), JSON.integer(parsing:in:)))
        }
    }
}

extension Conversion where Value == Int32 {
    /// A number of at least 1.
    static var count: Self {
        let integer = Self.integer(in: 1 ... .max)
        return Self(placeholder: 1, schema: { .count }, convert: integer.convert)
    }
}

extension Conversion {
    /// A list of single values.
    static func list<Element>(
        of element: Conversion<Element>, in range: ClosedRange<Int>
    ) -> Self where Value == [Element] {
        let elements = Conversion<[JSON]>.elements(element.schema(), in: range)
        return Self(placeholder: [], schema: elements.schema) { json throws(Misfit) in
            var values: [Element] = []
            for json in try elements.convert(json) { values.append(try element.convert(json)) }
            return values
        }
    }

    static func id<Entity>() -> Self where Value == ID<Entity> {
        Self(placeholder: ID(0), schema: { .id }) { json throws(Misfit) in
            ID(try Conversion<Int64>.id().convert(json))
        }
    }
}

extension Conversion where Value == Int64 {
    /// An id, for which there is one text only: otherwise two URLs would be of one record.
    static func id(from lowest: Int64 = .min) -> Self {
        Self(placeholder: lowest, schema: { .integer(in: lowest ... .max) }) { json throws(Misfit) in
            try json.integer(in: lowest ... .max, JSON.id(parsing:in:))
        }
    }
}

extension JSON {
    /// - Parameter parse: Reads what was sent as text.
    fileprivate func integer(
        in range: ClosedRange<Int64>, _ parse: (String, ClosedRange<Int64>) throws(Misfit) -> Int64
    ) throws(Misfit) -> Int64 {
        let integer: Int64
        switch self {
        case .integer(let value): integer = value
        case .bool(let value): integer = value ? 1 : 0
        case .string(let text): integer = try parse(text, range)
        case .number(let value):
            // 2^63 itself is refused on either side: an integer beyond 64 bits may have been rounded to it.
            guard value > -0x1p63 else { throw .tooLow(range.lowerBound) }
            guard value < 0x1p63 else { throw .tooHigh(range.upperBound) }
            guard let exact = Int64(exactly: value) else { throw .fraction }
            integer = exact
        case .null, .array, .object: throw .noInteger
        }
        guard integer >= range.lowerBound else { throw .tooLow(range.lowerBound) }
        guard integer <= range.upperBound else { throw .tooHigh(range.upperBound) }
        return integer
    }

    /// Reads digits with an optional sign, white space around, single underscores between and zeros as a fraction.
    fileprivate static func integer(parsing text: String, in range: ClosedRange<Int64>) throws(Misfit) -> Int64 {
        if let integer = Int64(text) { return integer }
        guard text.utf8.count <= 4300 else { throw .oversizedInteger }
        let scalars = text.unicodeScalars
        let start = scalars.firstIndex { !$0.properties.isWhitespace } ?? scalars.endIndex
        let end = scalars.lastIndex { !$0.properties.isWhitespace }.map(scalars.index(after:)) ?? start
        let number = text.utf8[start..<end]
        let sign = number.prefix(1).filter { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        let whole = number.dropFirst(sign.count).prefix { $0 != UInt8(ascii: ".") }
        let fraction = number.dropFirst(sign.count + whole.count)
        let groups = whole.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard groups.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isDigit) }),
            fraction.count != 1, fraction.dropFirst().allSatisfy({ $0 == UInt8(ascii: "0") })
        else { throw .unreadableInteger }
        if let integer = Int64(String(decoding: sign + groups.joined(), as: UTF8.self)) { return integer }
        if sign.first == UInt8(ascii: "-") {
            throw range.lowerBound == .min ? .oversizedInteger : .tooLow(range.lowerBound)
        }
        throw range.upperBound == .max ? .oversizedInteger : .tooHigh(range.upperBound)
    }

    /// Reads digits without leading zeros, after a minus sign if need be, and nothing else.
    fileprivate static func id(parsing text: String, in range: ClosedRange<Int64>) throws(Misfit) -> Int64 {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.first != UInt8(ascii: "0") || text == "0", digits.allSatisfy(isDigit) else {
            throw .unreadableInteger
        }
        guard let integer = Int64(text) else { throw .oversizedInteger }
        return integer
    }
}

extension String {
    fileprivate func hasByte(_ byte: UInt8) -> Bool {
        utf8.withContiguousStorageIfAvailable { $0.contains(byte) } ?? utf8.contains(byte)
    }
}
