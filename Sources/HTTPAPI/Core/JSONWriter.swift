/// Writes JSON without white space into bytes.
struct JSONWriter {
    var bytes: [UInt8] = []

    /// Begins a member of an object.
    ///
    /// - Parameter name: Written as it is, so nothing in it may need an escape.
    mutating func begin(_ name: StaticString) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }
}

extension JSONWriter {
    /// Writes an array.
    mutating func array(_ elements: some Sequence<some JSONEncodable>) {
        bytes.append(UInt8(ascii: "["))
        for element in elements {
            if bytes.last != UInt8(ascii: "[") { bytes.append(UInt8(ascii: ",")) }
            element.write(to: &self)
        }
        bytes.append(UInt8(ascii: "]"))
    }
}

/// What can be written as JSON.
protocol JSONEncodable: SendableMetatype {
    /// How it looks when it is written.
    static var schema: Schema { get }

    func write(to json: inout JSONWriter)
}

extension String: JSONEncodable {
    static var schema: Schema { Schema(["type": "string"]) }

    func write(to json: inout JSONWriter) {
        json.bytes.append(UInt8(ascii: "\""))
        var text = self
        text.withUTF8 { utf8 in
            // Most texts have nothing to escape, and are copied at once.
            guard utf8.contains(where: Self.needsEscape) else { return json.bytes.append(contentsOf: utf8) }
            var start = 0
            for (index, byte) in utf8.enumerated() where Self.needsEscape(byte) {
                json.bytes.append(contentsOf: utf8[start..<index])
                json.bytes.append(contentsOf: Self.escapes[Int(byte)].utf8)
                start = index + 1
            }
            json.bytes.append(contentsOf: utf8[start...])
        }
        json.bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// By the byte, up to the backslash, the last one that needs it.
    private static let escapes = (0...UInt8(ascii: "\\")).map(escape)

    private static func escape(_ byte: UInt8) -> String {
        switch Unicode.Scalar(byte) {
        case "\"": "\\\""
        case "\\": "\\\\"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}

/// Types of a few words.
extension JSONEncodable where Self: CaseIterable & RawRepresentable<String> {
    static var schema: Schema { Schema(["type": "string", "enum": .array(allCases.map { .string($0.rawValue) })]) }

    func write(to json: inout JSONWriter) { rawValue.write(to: &json) }
}

extension Bool: JSONEncodable {
    static var schema: Schema { Schema(["type": "boolean"]) }

    func write(to json: inout JSONWriter) { json.bytes.append(contentsOf: (self ? "true" : "false").utf8) }
}

extension FixedWidthInteger where Self: JSONEncodable {
    static var schema: Schema { .integer(in: Self.min...Self.max) }

    func write(to json: inout JSONWriter) { json.bytes.append(contentsOf: description.utf8) }
}
extension Int: JSONEncodable {}
extension Int32: JSONEncodable {}
extension Int64: JSONEncodable {}

extension Double: JSONEncodable {
    static var schema: Schema { Schema(["type": "number"]) }

    /// - Precondition: It is finite.
    func write(to json: inout JSONWriter) { json.bytes.append(contentsOf: description.utf8) }
}

extension Optional: JSONEncodable where Wrapped: JSONEncodable {
    static var schema: Schema { Wrapped.schema.orNull }

    func write(to json: inout JSONWriter) {
        if let self { self.write(to: &json) } else { json.bytes.append(contentsOf: "null".utf8) }
    }
}

extension Array: JSONEncodable where Element: JSONEncodable {
    static var schema: Schema { .array(of: Element.schema) }

    func write(to json: inout JSONWriter) { json.array(self) }
}

extension JSON: JSONEncodable {
    static var schema: Schema { Schema(["type": "object"]) }

    /// What a value is written as.
    init(of value: some JSONEncodable) { self.init { value.write(to: &$0) } }

    init(_ write: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        write(&json)
        self = json.bytes.withUnsafeBytes { try! JSON(parsing: $0) }
    }

    func write(to json: inout JSONWriter) {
        switch self {
        case .null: Bool?.none.write(to: &json)
        case .bool(let value): value.write(to: &json)
        case .integer(let value): value.write(to: &json)
        case .number(let value): value.write(to: &json)
        case .string(let value): value.write(to: &json)
        case .array(let elements): elements.write(to: &json)
        case .object(let members):
            json.bytes.append(UInt8(ascii: "{"))
            for member in members {
                if json.bytes.last != UInt8(ascii: "{") { json.bytes.append(UInt8(ascii: ",")) }
                member.name.write(to: &json)
                json.bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &json)
            }
            json.bytes.append(UInt8(ascii: "}"))
        }
    }
}

extension JSONWriter {
    /// Writes a document to be read and compared by people: a member or an element a line, two spaces deeper each.
    mutating func indented(_ json: JSON, depth: Int = 0) {
        func newLine(_ depth: Int) -> [UInt8] { Array(("\n" + String(repeating: "  ", count: depth)).utf8) }
        switch json {
        case .object(let members) where !members.isEmpty:
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += newLine(depth + 1)
                member.name.write(to: &self)
                bytes += ": ".utf8
                indented(member.value, depth: depth + 1)
            }
            bytes += newLine(depth) + "}".utf8
        case .array(let elements) where !elements.isEmpty:
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += newLine(depth + 1)
                indented(element, depth: depth + 1)
            }
            bytes += newLine(depth) + "]".utf8
        default: json.write(to: &self)
        }
    }
}
