import CLibpq

/// The rows that a query answered. Belongs to the thread that asked.
public final class QueryResult {
    private let result: OpaquePointer
    public let count: Int
    @usableFromInline let columns: Int32

    init(owning result: OpaquePointer) {
        self.result = result
        self.count = Int(PQntuples(result))
        self.columns = PQnfields(result)
    }

    deinit { PQclear(result) }

    /// The command tag, for example `COMMIT` or `INSERT 0 3`.
    public var commandTag: String { String(cString: PQcmdStatus(result)) }

    /// The number of rows that the command wrote.
    public var affectedRows: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// Decodes every row.
    @inlinable
    public func map<T>(_ decode: (inout Row) throws -> T) throws -> [T] {
        var decoded: [T] = []
        decoded.reserveCapacity(count)
        for index in 0..<count {
            var row = Row(result: self, index: Int32(index))
            decoded.append(try decode(&row))
        }
        return decoded
    }

    /// Decodes the first row, `nil` if there is none.
    @inlinable
    public func first<T>(_ decode: (inout Row) throws -> T) throws -> T? {
        guard count > 0 else { return nil }
        var row = Row(result: self, index: 0)
        return try decode(&row)
    }

    @usableFromInline func bytes(row: Int32, column: Int32) -> UnsafeRawBufferPointer? {
        guard PQgetisnull(result, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
    }
}

/// One row, read from left to right.
///
/// Inlinable, so that other modules decode with the types that they know: looking generic types up for each value took
/// a fifth of the time of a long list.
public struct Row {
    @usableFromInline let result: QueryResult
    @usableFromInline let index: Int32
    @usableFromInline var column: Int32 = 0

    @usableFromInline init(result: QueryResult, index: Int32) {
        self.result = result
        self.index = index
    }

    /// The next column; throws ``PostgresError/decoding(_:)`` for NULL or another type.
    @inlinable
    public mutating func next<T: BinaryDecodable>(_ type: T.Type = T.self) throws -> T {
        guard let value = try next(T?.self) else { throw PostgresError.decoding("NULL in column \(column - 1)") }
        return value
    }

    /// The next column, `nil` for NULL.
    @inlinable
    public mutating func next<T: BinaryDecodable>(_ type: T?.Type = T?.self) throws -> T? {
        guard column < result.columns else { throw PostgresError.decoding("only \(result.columns) columns") }
        defer { column += 1 }
        guard let bytes = result.bytes(row: index, column: column) else { return nil }
        guard let value = T(binary: bytes) else {
            throw PostgresError.decoding("\(bytes.count) bytes in column \(column) are no \(T.self)")
        }
        return value
    }

    /// Whether the next column is NULL; does not move on.
    @inlinable
    public var isNextNull: Bool { result.bytes(row: index, column: column) == nil }
}

/// A type that reads PostgreSQL's binary form of one column type.
public protocol BinaryDecodable {
    /// `nil` if the bytes are of another type.
    init?(binary bytes: UnsafeRawBufferPointer)
}

extension FixedWidthInteger {
    @inlinable
    public init?(binary bytes: UnsafeRawBufferPointer) {
        guard bytes.count == MemoryLayout<Self>.size else { return nil }
        self = Self(bigEndian: bytes.loadUnaligned(as: Self.self))
    }
}

extension Int64: BinaryDecodable {}
extension Int32: BinaryDecodable {}

extension Double: BinaryDecodable {
    @inlinable
    public init?(binary bytes: UnsafeRawBufferPointer) {
        guard let bits = UInt64(binary: bytes) else { return nil }
        self.init(bitPattern: bits)
    }
}

extension Bool: BinaryDecodable {
    @inlinable
    public init?(binary bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 1 else { return nil }
        self = bytes[0] != 0
    }
}

extension String: BinaryDecodable {
    @inlinable
    public init(binary bytes: UnsafeRawBufferPointer) { self.init(decoding: bytes, as: UTF8.self) }
}

/// A value of type `bytea`.
public struct Bytes: BinaryDecodable, Sendable {
    public let bytes: [UInt8]

    public init(binary bytes: UnsafeRawBufferPointer) { self.bytes = Array(bytes) }
}

/// One dimension, no NULL in it (array_recv in PostgreSQL's `arrayfuncs.c` has the form).
extension Array: BinaryDecodable where Element: BinaryDecodable {
    @inlinable
    public init?(binary bytes: UnsafeRawBufferPointer) {
        func integer(at offset: Int) -> Int? {
            offset + 4 <= bytes.count
                ? Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))) : nil
        }
        self = []
        // The number of dimensions, whether there are NULLs, the type; then the length and the first index.
        guard bytes.count >= 12, let dimensions = integer(at: 0) else { return nil }
        if dimensions == 0 { return }
        guard dimensions == 1, let count = integer(at: 12) else { return nil }
        reserveCapacity(count)
        var offset = 20
        for _ in 0..<count {
            guard let length = integer(at: offset), length >= 0, offset + 4 + length <= bytes.count,
                let element = Element(binary: UnsafeRawBufferPointer(rebasing: bytes[(offset + 4)...].prefix(length)))
            else { return nil }
            append(element)
            offset += 4 + length
        }
    }
}
