import CSQLite
import TestSupport

/// A SQLite file as the old service's SQLAlchemy models lay it out.
struct OldServiceFile {
    let path: String

    static let schema = """
        CREATE TABLE operators (id INTEGER NOT NULL, name VARCHAR NOT NULL, is_active BOOLEAN, max_load INTEGER,
            created_at DATETIME, PRIMARY KEY (id));
        CREATE TABLE sources (id INTEGER NOT NULL, name VARCHAR, description VARCHAR, created_at DATETIME,
            PRIMARY KEY (id));
        CREATE TABLE operator_source_weights (id INTEGER NOT NULL, operator_id INTEGER NOT NULL,
            source_id INTEGER NOT NULL, weight INTEGER, created_at DATETIME, PRIMARY KEY (id),
            FOREIGN KEY(operator_id) REFERENCES operators (id), FOREIGN KEY(source_id) REFERENCES sources (id));
        CREATE TABLE leads (id INTEGER NOT NULL, external_id VARCHAR, phone VARCHAR, email VARCHAR, name VARCHAR,
            created_at DATETIME, updated_at DATETIME, PRIMARY KEY (id));
        CREATE TABLE contacts (id INTEGER NOT NULL, lead_id INTEGER NOT NULL, source_id INTEGER NOT NULL,
            operator_id INTEGER, status VARCHAR, message VARCHAR, created_at DATETIME, updated_at DATETIME,
            PRIMARY KEY (id), FOREIGN KEY(lead_id) REFERENCES leads (id));
        CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
        """

    /// A small desk without faults, with ids that have gaps.
    static let crm = """
        INSERT INTO operators VALUES (3, 'Анна', 1, 5, '2025-03-01 09:00:00.000001'),
            (7, 'Борис', 0, 10, '2025-03-01 09:05:00');
        INSERT INTO sources VALUES (4, 'Telegram Bot #1', 'Основной бот', '2025-03-01 09:00:00.5');
        INSERT INTO operator_source_weights VALUES (11, 3, 4, 10, '2025-03-02 10:00:00.000000'),
            (12, 7, 4, 30, '2025-03-02 10:00:00.000000');
        INSERT INTO leads VALUES (21, 'tg-1', '+79001234567', 'a@example.org', 'Пётр', '2025-03-03 10:11:12.123456', NULL),
            (22, NULL, NULL, NULL, NULL, '2025-03-04 10:00:00.000000', '2025-03-05 10:00:00.000000');
        INSERT INTO contacts VALUES (31, 21, 4, 3, 'active', 'Хочу узнать о продукте', '2025-03-03 10:11:12.123456', NULL),
            (32, 22, 4, NULL, 'active', NULL, '2025-03-04 10:00:00.000000', NULL),
            (40, 21, 4, 3, 'closed', '', '2025-03-05 10:00:00.000000', '2025-03-06 10:00:00.000000');
        """

    /// Creates a file.
    ///
    /// - Parameter sql: What is to be in it.
    init(_ sql: String...) throws {
        path = try ScratchDirectory.makeSubdirectory("old") + "/app.db"
        try write(sql.joined(separator: "\n"))
    }

    func write(_ sql: String) throws {
        var handle: OpaquePointer?
        defer { sqlite3_close(handle) }
        guard sqlite3_open(path, &handle) == SQLITE_OK, sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else {
            throw Command.Failure(String(cString: sqlite3_errmsg(handle)))
        }
    }
}
