/// Writes JSON without white space into bytes.
struct JSONWriter {
    var bytes: [UInt8] = []

    mutating func object(_ members: (inout JSONWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        members(&self)
        bytes.append(UInt8(ascii: "}"))
    }

    /// Writes a member of an object.
    ///
    /// - Parameter name: Written as it is, so nothing in it may need an escape.
    mutating func member(_ name: StaticString, _ value: some JSONEncodable) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        value.write(to: &self)
    }
}

extension JSONWriter {
    /// Writes an array.
    ///
    /// - Parameter limit: How many bytes there may be before it ends early; the first element is always written.
    /// - Returns: How many elements were written.
    mutating func array(_ elements: some Collection<some JSONEncodable>, upTo limit: Int = .max) -> Int {
        var count = 0
        bytes.append(UInt8(ascii: "["))
        for element in elements where count == 0 || bytes.count < limit {
            if count > 0 { bytes.append(UInt8(ascii: ",")) }
            element.write(to: &self)
            count += 1
        }
        bytes.append(UInt8(ascii: "]"))
        return count
    }
}

/// What can be written as JSON.
protocol JSONEncodable {
    func write(to json: inout JSONWriter)
}

extension String: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.bytes.append(UInt8(ascii: "\""))
        var text = self
        text.withUTF8 { utf8 in
            var start = 0
            for (index, byte) in utf8.enumerated() where Self.needsEscape(byte) {
                json.bytes.append(contentsOf: utf8[start..<index])
                json.bytes.append(contentsOf: Self.escape(byte).utf8)
                start = index + 1
            }
            json.bytes.append(contentsOf: utf8[start...])
        }
        json.bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

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

extension Bool: JSONEncodable {
    func write(to json: inout JSONWriter) { json.bytes.append(contentsOf: (self ? "true" : "false").utf8) }
}

extension FixedWidthInteger where Self: JSONEncodable {
    func write(to json: inout JSONWriter) { json.bytes.append(contentsOf: description.utf8) }
}
extension Int: JSONEncodable {}
extension Int32: JSONEncodable {}
extension Int64: JSONEncodable {}

extension Optional: JSONEncodable where Wrapped: JSONEncodable {
    func write(to json: inout JSONWriter) {
        if let self { self.write(to: &json) } else { json.bytes.append(contentsOf: "null".utf8) }
    }
}

extension Array: JSONEncodable where Element: JSONEncodable {
    func write(to json: inout JSONWriter) { _ = json.array(self) }
}
