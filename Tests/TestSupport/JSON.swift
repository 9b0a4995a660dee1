import Foundation

/// Any JSON value, to be written as a literal and compared with `==`.
public enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])
    /// The value that a subscript finds where there is none.
    case absent

    /// Parses a document.
    public init(_ text: some Collection<UInt8>) throws {
        self = try JSONDecoder().decode(JSON.self, from: Data(text))
    }

    /// The member of an object, or `absent`.
    public subscript(_ key: String) -> JSON {
        if case .object(let members) = self { members[key] ?? .absent } else { .absent }
    }

    /// The element of an array, or `absent`.
    public subscript(_ index: Int) -> JSON {
        elements.indices.contains(index) ? elements[index] : .absent
    }

    /// The names of an object's members; none for anything else.
    public var keys: Set<String> {
        if case .object(let members) = self { Set(members.keys) } else { [] }
    }

    /// The elements of an array; none for anything else.
    public var elements: [JSON] {
        if case .array(let elements) = self { elements } else { [] }
    }

    public var int: Int? {
        if case .integer(let value) = self { Int(value) } else { nil }
    }

    /// The value of any number.
    public var double: Double? {
        if case .double(let value) = self { value } else { int.map(Double.init) }
    }

    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The value as a document.
    public var data: Data {
        get throws {
            let encoder = JSONEncoder()
            // The same text for the same value.
            encoder.outputFormatting = .sortedKeys
            return try encoder.encode(self)
        }
    }
}

extension JSON: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null, .absent: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByFloatLiteral
{
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
    public init(_ value: Int) { self = .integer(Int64(value)) }
}

extension JSON: CustomStringConvertible {
    public var description: String {
        guard self != .absent, let data = try? data else { return "absent" }
        return String(decoding: data, as: UTF8.self)
    }
}
