import CSQLite

/// What SQLite says of a file or a statement.
public struct SQLiteError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
}

/// A SQLite database, open for reading, as it was when it was opened: what others write meanwhile is not seen.
public struct SQLiteDatabase: ~Copyable {
    private let handle: OpaquePointer

    /// Opens a file that exists.
    ///
    /// - Throws: ``SQLiteError``, also for a file that is no SQLite database.
    public init(path: String) throws { handle = try Self.open(path) }

    private static func open(_ path: String) throws -> OpaquePointer {
        var handle: OpaquePointer?
        // The snapshot begins with the first read, which also tells whether it is a database.
        guard sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK, let handle,
            sqlite3_busy_timeout(handle, 5_000) == SQLITE_OK,
            sqlite3_exec(handle, "BEGIN; SELECT count(*) FROM sqlite_schema", nil, nil, nil) == SQLITE_OK
        else {
            let reason = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close(handle)
            throw SQLiteError(description: reason)
        }
        return handle
    }

    // A statement that is still in use keeps it open.
    deinit { sqlite3_close_v2(handle) }

    /// Runs a query.
    ///
    /// - Throws: ``SQLiteError``.
    public func rows(_ sql: String) throws -> SQLiteRows {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, let statement else {
            throw SQLiteError(description: String(cString: sqlite3_errmsg(handle)))
        }
        return SQLiteRows(statement: statement)
    }
}

/// The rows of a query, one after another: no more than one is in memory.
public struct SQLiteRows: ~Copyable {
    private let statement: OpaquePointer

    fileprivate init(statement: OpaquePointer) { self.statement = statement }

    deinit { sqlite3_finalize(statement) }

    /// Moves to the next row, at first to the first one.
    ///
    /// - Returns: Whether there is one.
    /// - Throws: ``SQLiteError``.
    public mutating func next() throws -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw SQLiteError(description: String(cString: sqlite3_errmsg(sqlite3_db_handle(statement))))
        }
    }

    public func isNull(_ column: Int) -> Bool { sqlite3_column_type(statement, Int32(column)) == SQLITE_NULL }

    /// A column of this row; `nil` if it is no integer, NULL included.
    public func integer(_ column: Int) -> Int64? {
        guard sqlite3_column_type(statement, Int32(column)) == SQLITE_INTEGER else { return nil }
        return sqlite3_column_int64(statement, Int32(column))
    }

    /// A column of this row as text, whatever its type; what is no UTF-8 in it becomes U+FFFD. `nil` for NULL.
    public func text(_ column: Int) -> String? {
        guard let bytes = sqlite3_column_text(statement, Int32(column)) else { return nil }
        let count = Int(sqlite3_column_bytes(statement, Int32(column)))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
