/// A JSON value.
///
/// Read by a parser of our own, not by Foundation's decoder, for two reasons: every fault of a body is answered at
/// once in pydantic's terms, which takes the whole document whatever types it holds; and each contact passes here.
enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number; infinite beyond the range of `Double`.
    case number(Double)
    case string(String)
    case array([JSON])
    /// The members as they were sent: a name may occur more than once.
    case object([Member])

    struct Member: Sendable, Equatable {
        let name: String
        let value: JSON
    }

    /// How deep arrays and objects may nest.
    static let maximumDepth = 128

    /// How many arrays and objects a document may have: each takes memory of its own, however few bytes it was sent in.
    static let maximumContainers = 65_536

    /// Reads one document as RFC 8259 defines it, and nothing beyond: no byte order mark, no lone surrogates, and
    /// UTF-8 without fault.
    ///
    /// - Throws: ``JSONError`` for the first byte that does not fit.
    init(parsing document: UnsafeRawBufferPointer) throws(JSONError) {
        var parser = Parser(document)
        self = try parser.document()
    }
}

/// Why bytes are not a JSON document.
struct JSONError: Error, Equatable {
    /// The byte where reading stopped, counted from 0.
    let offset: Int
    /// Worded as by Python's `json`, which the clients know.
    let reason: String
}

private struct Parser {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth = 0
    private var containers = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The byte at the position, or 0 at the end: outside of strings JSON has no byte 0 either.
    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    mutating func document() throws(JSONError) -> JSON {
        skipWhitespace()
        let value = try value()
        skipWhitespace()
        guard position == bytes.count else { throw failure("Extra data") }
        return value
    }

    private func failure(_ reason: String, at offset: Int? = nil) -> JSONError {
        JSONError(offset: offset ?? position, reason: reason)
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case " ", "\n", "\r", "\t": position += 1
            default: return
            }
        }
    }

    /// Steps over the character if it is next.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func value() throws(JSONError) -> JSON {
        switch current {
        case "\"": return .string(try string())
        case "{": return .object(try object())
        case "[": return .array(try array())
        case "t": return try literal("true", .bool(true))
        case "f": return try literal("false", .bool(false))
        case "n": return try literal("null", .null)
        case "-": return try number()
        case let byte where isDigit(byte): return try number()
        default: throw failure("Expecting value")
        }
    }

    private mutating func literal(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let end = position + text.utf8CodeUnitCount
        let name = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[position..<end].elementsEqual(name) else { throw failure("Expecting value") }
        position = end
        return value
    }

    private mutating func object() throws(JSONError) -> [JSON.Member] {
        try descend()
        var members: [JSON.Member] = []
        if !take("}") {
            repeat {
                skipWhitespace()
                guard case "\"" = current else { throw failure("Expecting property name enclosed in double quotes") }
                let name = try string()
                skipWhitespace()
                guard take(":") else { throw failure("Expecting ':' delimiter") }
                skipWhitespace()
                members.append(JSON.Member(name: name, value: try value()))
                skipWhitespace()
            } while take(",")
            guard take("}") else { throw failure("Expecting ',' delimiter") }
        }
        depth -= 1
        return members
    }

    private mutating func array() throws(JSONError) -> [JSON] {
        try descend()
        var elements: [JSON] = []
        if !take("]") {
            repeat {
                skipWhitespace()
                elements.append(try value())
                skipWhitespace()
            } while take(",")
            guard take("]") else { throw failure("Expecting ',' delimiter") }
        }
        depth -= 1
        return elements
    }

    /// Enters the array or object that opens at the position.
    private mutating func descend() throws(JSONError) {
        guard depth < JSON.maximumDepth else { throw failure("Nesting deeper than \(JSON.maximumDepth)") }
        guard containers < JSON.maximumContainers else {
            throw failure("More than \(JSON.maximumContainers) arrays and objects")
        }
        depth += 1
        containers += 1
        position += 1
        skipWhitespace()
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = position
        var isInteger = true
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") {
            isInteger = false
            try digits()
        }
        if take("e") || take("E") {
            isInteger = false
            _ = take("+") || take("-")
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text) else { throw failure("Expecting value", at: start) }
        return .number(number)
    }

    private mutating func digits() throws(JSONError) {
        guard isDigit(current) else { throw failure("Expecting a digit") }
        while isDigit(current) { position += 1 }
    }

    private mutating func string() throws(JSONError) -> String {
        let opening = position
        position += 1
        var start = position
        // What precedes `start`, once there was an escape. Most strings have none and are copied once.
        var unescaped: [UInt8] = []
        while position < bytes.count {
            switch bytes[position] {
            case "\"":
                let rest = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
                position += 1
                if !unescaped.isEmpty { unescaped.append(contentsOf: rest) }
                guard let text = unescaped.isEmpty ? text(rest) : unescaped.withUnsafeBytes({ text($0) }) else {
                    throw failure("Invalid UTF-8", at: opening)
                }
                return text
            case "\\":
                unescaped.append(contentsOf: bytes[start..<position])
                unescaped.append(contentsOf: UTF8.encode(try escape())!)
                start = position
            case 0..<0x20:
                throw failure("Invalid control character at")
            default:
                position += 1
            }
        }
        throw failure("Unterminated string starting at", at: opening)
    }

    /// The string with these code units; `nil` if they are no UTF-8.
    ///
    /// `String(validating:as:)` says the same, and takes as long as all the rest of the parser.
    private func text(_ utf8: UnsafeRawBufferPointer) -> String? {
        var text = String(decoding: utf8, as: UTF8.self)
        // What was no UTF-8 has been repaired, and so differs.
        let isSame = utf8.allSatisfy { $0 < 0x80 } || text.withUTF8 { $0.elementsEqual(utf8) }
        return isSame ? text : nil
    }

    /// The character that the backslash at the position and what follows it stand for.
    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        let backslash = position
        position += 2
        switch position <= bytes.count ? bytes[position - 1] : 0 {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u": break
        default: throw failure("Invalid \\escape", at: backslash)
        }
        let unit = try hexadecimal(at: backslash)
        guard UTF16.isSurrogate(unit) else { return Unicode.Scalar(unit)! }
        guard UTF16.isLeadSurrogate(unit), take("\\"), take("u"), case let trail = try hexadecimal(at: backslash),
            UTF16.isTrailSurrogate(trail)
        else { throw failure("Unpaired surrogate", at: backslash) }
        return UTF16.decode(UTF16.EncodedScalar([unit, trail]))
    }

    /// The four digits of a `\u` escape.
    private mutating func hexadecimal(at backslash: Int) throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = hexadecimalDigit(current) else { throw failure("Invalid \\uXXXX escape", at: backslash) }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}

/// Lets a switch over bytes name characters.
private func ~= (character: Unicode.Scalar, byte: UInt8) -> Bool { character.value == byte }

/// Whether the byte is `0` to `9`.
func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

/// The value of `0` to `9`, `a` to `f` and `A` to `F`.
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case let digit where isDigit(digit): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
