import Foundation
import TestSupport
import Testing

@testable import Store

/// `sql/` shows what the program carries and makes.
@Suite struct SchemaTests {
    private static let sql = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(path: "sql")

    @Test("The program carries every file of sql/migrations, in the order of their numbers")
    func migrationsAreTheFolders() throws {
        let folder = Self.sql.appending(path: "migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let carried = Migrations.all.map { migration in
            let number = String(migration.version)
            return String(repeating: "0", count: 4 - number.count) + "\(number)_\(migration.name).sql"
        }
        #expect(files == carried)
        #expect(Migrations.all.map(\.version) == Array(1...Int32(files.count)))
        for (migration, file) in zip(Migrations.all, files) {
            let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            #expect(
                migration.sql == text,
                "the text of \(file) is not what the program carries as migration \(migration.version)")
        }
    }

    @Test("sql/schema.sql shows the schema that the migrations make")
    func schemaIsShown() async throws {
        let file = Self.sql.appending(path: "schema.sql")
        let made = try await TestDatabase.with { database in
            try await Schema(server: Psql(database.url).number("SHOW server_version_num") / 10000, dump(database.url))
        }
        if ProcessInfo.processInfo.environment["WRITE_SCHEMA"] != nil {
            try made.text.write(to: file, atomically: true, encoding: .utf8)
        }
        let shown = try Schema(text: String(contentsOf: file, encoding: .utf8))
        let differences = made.difference(from: shown)
        #expect(
            differences.isEmpty,
            """
            sql/schema.sql is out of date (- shown, + made by the migrations); \
            `WRITE_SCHEMA=1 scripts/test --filter SchemaTests` writes it anew:
            \(differences.prefix(20).joined(separator: "\n"))
            """)
    }

    /// What pg_dump makes of a database's schema, without owners.
    private func dump(_ url: String) async throws -> String {
        let directory = try ScratchDirectory.makeSubdirectory("pg_dump")
        let process = try ChildProcess(
            ["pg_dump", "--schema-only", "--no-owner", "--dbname", url], in: directory, streams: .files(in: directory))
        defer { process.signal(SIGKILL) }
        let status = try await process.end()
        let errors = try String(contentsOfFile: directory + "/stderr", encoding: .utf8)
        try #require(status == 0, "pg_dump: \(errors)")
        return try String(contentsOfFile: directory + "/stdout", encoding: .utf8)
    }
}

/// A schema as `sql/schema.sql` shows it.
private struct Schema {
    let text: String

    init(text: String) { self.text = text }

    /// - Parameters:
    ///   - server: The major version of the server.
    ///   - dump: What pg_dump wrote. Its settings, headings and keys are no part of the schema.
    init(server: Int, _ dump: String) {
        let noise = ["--", "SET ", "SELECT pg_catalog.set_config", #"\"#]
        let statements = dump.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { line in !noise.contains { line.hasPrefix($0) } }
            .joined(separator: "\n").replacing(/\n{3,}/, with: "\n\n")
            .trimmingCharacters(in: .newlines)
        text = """
            -- The schema as all migrations leave it, to be read; sql/migrations make it. A test compares the two.
            -- Written by WRITE_SCHEMA=1 scripts/test --filter SchemaTests
            -- The queries of views are spelled as by PostgreSQL \(server).

            \(statements)

            """
    }

    /// The lines in which two schemas differ. The queries of views count only if one version of PostgreSQL spelled both.
    func difference(from other: Schema) -> [String] {
        let queries = heading == other.heading
        return lines(queries: queries).difference(from: other.lines(queries: queries)).map { change in
            switch change {
            case .insert(_, let line, _): "+ \(line)"
            case .remove(_, let line, _): "- \(line)"
            }
        }
    }

    private var heading: Substring { text.firstRange(of: "\n\n").map { text[..<$0.lowerBound] } ?? text[...] }

    private func lines(queries: Bool) -> [Substring] {
        let statements = text.dropFirst(heading.count)
        let shown = queries ? statements : statements.replacing(/(CREATE VIEW \S+ AS)\n[^;]*/) { $0.1 }
        return shown.split(separator: "\n", omittingEmptySubsequences: false)
    }
}
