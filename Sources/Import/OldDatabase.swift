import SQLite

/// The database of the service that this one takes the place of: SQLite, as SQLAlchemy laid it out.
struct OldDatabase: ~Copyable {
    typealias Table = SQLiteImport.Table

    private let file: SQLiteDatabase

    /// The columns that are read, in this order; others are left alone.
    static let columns: [Table: [String]] = [
        .operators: ["id", "name", "is_active", "max_load", "created_at"],
        .sources: ["id", "name", "description", "created_at"],
        .weights: ["id", "operator_id", "source_id", "weight", "created_at"],
        .leads: ["id", "external_id", "phone", "email", "name", "created_at", "updated_at"],
        .contacts: ["id", "lead_id", "source_id", "operator_id", "status", "message", "created_at", "updated_at"],
    ]

    /// - Throws: ``SQLiteImport/Failure``.
    init(path: String) throws {
        do {
            file = try SQLiteDatabase(path: path)
        } catch {
            throw SQLiteImport.Failure(description: "\(path): \(error)")
        }
    }

    /// - Throws: ``SQLiteImport/Failure`` if tables or columns are missing.
    func checkTables() throws {
        var present: [String: Set<String>] = [:]
        var rows = try file.rows("SELECT m.name, c.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c")
        while try rows.next() { present[rows.text(0) ?? "", default: []].insert(rows.text(1) ?? "") }
        let missing = Table.allCases.flatMap { table in
            guard let found = present[table.rawValue] else { return ["the table \(table.rawValue)"] }
            return Self.columns[table]!.filter { !found.contains($0) }.map { "the column \(table.rawValue).\($0)" }
        }
        guard missing.isEmpty else {
            throw SQLiteImport.Failure(
                description: "the file is no database of the old service: it lacks \(missing.joined(separator: ", "))")
        }
    }

    func count(_ table: Table) throws -> Int {
        var rows = try file.rows("SELECT count(*) FROM \(table.rawValue)")
        return try rows.next() ? Int(rows.integer(0)!) : 0
    }

    /// A table's rows in the order of their ids; one column more says whether a row is missing in the table, though
    /// contacts name it: then it has an id and a time only.
    func rows(of table: Table) throws -> SQLiteRows {
        let columns = Self.columns[table]!
        var select = "SELECT \(columns.joined(separator: ", ")), 0 FROM \(table.rawValue)"
        if let reference = [.sources: "source_id", .leads: "lead_id"][table] {
            let made = columns.map { ["id": "c.\(reference)", "created_at": "min(c.created_at)"][$0] ?? "NULL" }
            select += """
                 UNION ALL SELECT \(made.joined(separator: ", ")), 1
                FROM contacts AS c LEFT JOIN \(table.rawValue) AS t ON t.id = c.\(reference)
                WHERE t.id IS NULL AND c.\(reference) IS NOT NULL GROUP BY c.\(reference)
                """
        }
        return try file.rows(select + " ORDER BY 1")
    }

    /// How many active contacts operators have.
    func activeContacts() throws -> [(operatorID: Int64, count: Int64)] {
        var rows = try file.rows(
            "SELECT operator_id, count(*) FROM contacts WHERE lower(status) = 'active' GROUP BY operator_id")
        var loads: [(Int64, Int64)] = []
        while try rows.next() {
            if let id = rows.integer(0) { loads.append((id, rows.integer(1)!)) }
        }
        return loads
    }
}
