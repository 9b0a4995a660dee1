import Model

extension ID: JSONEncodable {
    static var schema: Schema { Int64.schema.adding(["minimum": 1, "maximum": .integer(.max)]) }

    func write(to json: inout JSONWriter) { rawValue.write(to: &json) }
}

extension Timestamp: JSONEncodable {
    static var example: JSON { "2026-11-23T10:11:12.123456Z" }

    static var schema: Schema { Schema(["type": "string", "format": "date-time", "examples": [example]]) }

    func write(to json: inout JSONWriter) {
        json.bytes.append(UInt8(ascii: "\""))
        write(into: &json.bytes)
        json.bytes.append(UInt8(ascii: "\""))
    }
}
