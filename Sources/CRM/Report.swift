public import Postgres

/// A view of the schema `reporting` and what it holds now.
public struct Report: Sendable {
    public let columns: [String]
    /// The rows' values as psql would write them; `nil` is NULL.
    public let rows: [[String?]]
    /// The rows as JSON objects, in the order of the columns.
    public let json: [String]

    /// A view that can be asked for.
    public struct Name: Sendable {
        public let name: String
        /// The view's comment.
        public let comment: String
    }

    /// The views that there are, by name.
    ///
    /// - Throws: ``PostgresError``.
    public static func names(on connection: inout Connection) throws -> [Name] {
        try connection.run(namesStatement()).map { Name(name: try $0.next(), comment: try $0.next()) }
    }

    /// Reads a view.
    ///
    /// - Parameter name: As ``names(on:)`` tells it; anything else finds no column.
    /// - Throws: ``PostgresError``.
    public init?(_ name: String, on connection: inout Connection) throws {
        columns = try connection.run(Self.columnsStatement(.text(name))).map { try $0.next() }
        guard !columns.isEmpty else { return nil }
        let texts = columns.map { "\(Self.quoted($0))::text" }.joined(separator: ", ")
        let order = columns.prefix(3).map { "r.\(Self.quoted($0))" }.joined(separator: ", ")
        let select = Statement(
            "report", prepared: false,
            "SELECT row_to_json(r)::text, \(texts) FROM reporting.\(Self.quoted(name)) AS r ORDER BY \(order)")
        let count = columns.count
        let decoded = try connection.run(select()).map { row in
            (try row.next(String.self), try (0..<count).map { _ in try row.next(String?.self) })
        }
        json = decoded.map(\.0)
        rows = decoded.map(\.1)
    }

    private static func quoted(_ identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private static let namesStatement = Statement(
        "report_names", prepared: false,
        """
        SELECT c.relname::text, COALESCE(obj_description(c.oid), '') FROM pg_class AS c
        WHERE c.relnamespace = 'reporting'::regnamespace AND c.relkind = 'v' ORDER BY 1
        """)
    private static let columnsStatement = Statement(
        "report_columns", prepared: false,
        """
        SELECT a.attname::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'reporting'::regnamespace AND c.relname = $1::text AND a.attnum > 0 ORDER BY a.attnum
        """)
}
