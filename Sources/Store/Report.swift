public import Postgres

/// A view of the schema `reporting` and what it holds now.
public struct Report: Sendable {
    public let columns: [String]
    /// The rows' values as psql would write them; `nil` is NULL.
    public let rows: [[String?]]
    /// The rows as JSON objects, in the order of the columns.
    public let json: [String]
    /// Whether the limit left out rows.
    public let hasMore: Bool

    /// A view that can be asked for.
    public struct Name: Sendable, Equatable {
        public let name: String
        /// The view's comment.
        public let comment: String
    }

    /// The views that the migrations make, by name: what there is to say without a database.
    public static let names: [Name] = {
        var comments: [String: String] = [:]
        for migration in Migrations.all {
            for match in migration.sql.matches(of: /COMMENT ON VIEW reporting\.(\w+) IS\s+'((?:[^']|'')*)';/) {
                comments[String(match.1)] = String(match.2.replacing("''", with: "'"))
            }
        }
        return comments.map(Name.init).sorted { $0.name < $1.name }
    }()

    /// Reads a view.
    ///
    /// - Parameters:
    ///   - name: As ``names`` tells it, or another view of the schema.
    ///   - limit: The most rows to read; `nil`: all.
    ///   - toTheSecond: Whether ``rows`` have times and intervals without fractions, and times without a zone.
    /// - Returns: `nil` if there is no such view.
    /// - Throws: ``PostgresError``.
    public init?(_ name: String, limit: Int? = nil, toTheSecond: Bool = false, on connection: inout Connection) throws {
        let columns = try connection.run(Self.columnsStatement(.text(name))).map { row in
            (name: try row.next(String.self), type: try row.next(String.self))
        }
        guard !columns.isEmpty else { return nil }
        let texts = columns.map { column in
            let value = "r.\(Self.quoted(column.name))"
            return switch column.type {
            case "timestamp with time zone" where toTheSecond: "to_char(\(value), 'YYYY-MM-DD HH24:MI:SS')"
            case "interval" where toTheSecond: "date_trunc('second', \(value))::text"
            default: "\(value)::text"
            }
        }
        let order = columns.prefix(3).map { "r.\(Self.quoted($0.name))" }.joined(separator: ", ")
        let select = Statement(
            unprepared: """
                SELECT row_to_json(r)::text, \(texts.joined(separator: ", ")) FROM reporting.\(Self.quoted(name)) AS r
                ORDER BY \(order) LIMIT \(limit.map { String($0 + 1) } ?? "ALL")
                """)
        let decoded = try connection.run([Self.withoutCompiler(), select()])[1].map { row in
            (try row.next(String.self), try columns.map { _ in try row.next(String?.self) })
        }
        let shown = decoded.prefix(limit ?? decoded.count)
        self.columns = columns.map(\.name)
        json = shown.map(\.0)
        rows = shown.map(\.1)
        hasMore = shown.count < decoded.count
    }

    /// It would take longer than what it compiles.
    private static let withoutCompiler = Statement(unprepared: "SELECT set_config('jit', 'off', true)")

    private static func quoted(_ identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private static let columnsStatement = Statement(
        unprepared: """
            SELECT a.attname::text, format_type(a.atttypid, NULL) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'reporting'::regnamespace AND c.relname = $1::text AND a.attnum > 0 ORDER BY a.attnum
            """)
}
