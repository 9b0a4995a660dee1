/// A statement's text, which a connection prepares once.
///
/// Parameters are written `$1::bigint[]` and so on: the cast tells PostgreSQL how to read the binary value.
public struct Statement: Sendable {
    public let sql: String
    /// By which connections prepare it, made of the text: two statements have one name only if they are one. `nil` if it
    /// is not prepared.
    let name: String?

    public init(_ sql: String) {
        self.sql = sql
        // FNV-1a, once forwards and once backwards: 128 bits.
        func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
            bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        }
        name = String(hash(sql.utf8), radix: 36) + String(hash(sql.utf8.reversed()), radix: 36)
    }

    /// What is run once or has no plan (`BEGIN`, `SET LOCAL`).
    public init(unprepared sql: String) {
        self.sql = sql
        name = nil
    }

    /// Binds values to the statement.
    public func callAsFunction(_ parameters: Parameter...) -> Query {
        Query(statement: self, parameters: parameters)
    }
}

/// A statement with its parameters, ready to be sent.
public struct Query: Sendable {
    public let statement: Statement
    public let parameters: [Parameter]

    public init(statement: Statement, parameters: [Parameter]) {
        self.statement = statement
        self.parameters = parameters
    }
}

/// A value that is sent to PostgreSQL in its binary form. `nil` is NULL.
public enum Parameter: Sendable {
    case bool(Bool?)
    case int4(Int32?)
    case int8(Int64?)
    case text(String?)
    /// Of type `bytea`.
    case bytes([UInt8]?)
    /// Sixteen bytes in two halves, the first eight in `high`.
    case uuid(high: UInt64, low: UInt64)
    case int4Array([Int32])
    case int8Array([Int64?])
    case textArray([String?])
}

/// The parameters of one query, laid out for libpq: one buffer, and where each value lies in it.
struct EncodedParameters {
    private(set) var bytes: [UInt8] = []
    /// Offset and length of each value; a length of -1 is NULL.
    private(set) var ranges: [(offset: Int, length: Int)] = []

    // From pg_type.dat.
    private static let int4OID: Int32 = 23
    private static let int8OID: Int32 = 20
    private static let textOID: Int32 = 25

    init(_ parameters: [Parameter]) {
        ranges.reserveCapacity(parameters.count)
        for parameter in parameters {
            let offset = bytes.count
            let isNull = !append(parameter)
            ranges.append((offset, isNull ? -1 : bytes.count - offset))
        }
    }

    private mutating func append(_ parameter: Parameter) -> Bool {
        switch parameter {
        case .bool(let value):
            guard let value else { return false }
            bytes.append(value ? 1 : 0)
        case .int4(let value):
            guard let value else { return false }
            append(value)
        case .int8(let value):
            guard let value else { return false }
            append(value)
        case .text(let value):
            guard let value else { return false }
            bytes.append(contentsOf: value.utf8)
        case .bytes(let value):
            guard let value else { return false }
            bytes.append(contentsOf: value)
        case .uuid(let high, let low):
            append(high)
            append(low)
        case .int4Array(let values):
            appendArray(values, of: Self.int4OID) { encoder, value in
                encoder.append(Int32(4))
                encoder.append(value)
            }
        case .int8Array(let values):
            appendArray(values, of: Self.int8OID) { encoder, value in
                guard let value else { return encoder.append(Int32(-1)) }
                encoder.append(Int32(8))
                encoder.append(value)
            }
        case .textArray(let values):
            appendArray(values, of: Self.textOID) { encoder, value in
                guard var value else { return encoder.append(Int32(-1)) }
                value.withUTF8 { utf8 in
                    encoder.append(Int32(utf8.count))
                    encoder.bytes.append(contentsOf: utf8)
                }
            }
        }
        return true
    }

    /// PostgreSQL's array_send: dimensions, has-null flag, element type, then size and lower bound of the one dimension.
    private mutating func appendArray<Element>(
        _ values: [Element], of type: Int32, each: (inout Self, Element) -> Void
    ) {
        append(Int32(values.isEmpty ? 0 : 1))
        append(Int32(1))
        append(type)
        guard !values.isEmpty else { return }
        append(Int32(values.count))
        append(Int32(1))
        for value in values { each(&self, value) }
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
