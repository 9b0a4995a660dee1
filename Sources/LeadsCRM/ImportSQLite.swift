import ArgumentParser
import Import
import Postgres
import Store

struct ImportSQLite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-sqlite",
        abstract: "Takes over the database of the FastAPI/SQLite service.",
        discussion: """
            Operators, sources, weights, leads and contacts keep their ids and times. All or nothing: the import is one \
            transaction. Rows that are there already are left as they are, so that a second import adds nothing. Stop the \
            old service first, or import again what it has got since.

            What this service's rules do not allow is changed as little as possible: a phone, email or external id that \
            several leads have stays with the first, statuses other than active become closed, and so on. No contact is \
            left out. The changes are counted and the first ones shown; --changes writes all of them to a file.

            EXIT STATUS: 0 the database has all of the file, 1 nothing was changed, 64 wrong usage.

            EXAMPLE: leads-crm import-sqlite app.db --changes changes.csv
            """)

    @Argument(help: "The old service's SQLite database.", completion: .file())
    var file: String

    @Option(
        help: "Where to write each change as comma-separated values (personal data is among them).",
        completion: .file())
    var changes: String?

    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let (counts, log) = try await database.connect { connection in
            _ = try Migrations.migrate(&connection)
            var log = try ChangeLog(path: changes)
            var bar = ProgressBar()
            defer { bar.clear() }
            let counts = try SQLiteImport.run(file, on: &connection) { event in
                switch event {
                case .progress(let done, let total): bar.show(done, of: total, "row")
                case .change(let change): log.add(change)
                }
            }
            return (counts, log)
        }
        let table = Table(
            ["table", "added", "already there", "left out"],
            counts.map { [$0.table.rawValue, "\($0.added)", "\($0.alreadyThere)", "\($0.leftOut)"] })
        page(table.lines(on: .standardOutput), pager: nil)
        log.printSummary()
    }
}

/// Collects what the import changed: the number and the first changes of each reason to print, all changes in the file.
private struct ChangeLog {
    private static let shown = 5
    private var first: [SQLiteImport.Reason: [SQLiteImport.Change]] = [:]
    private var counts: [SQLiteImport.Reason: Int] = [:]
    private let file: OutputStream?

    init(path: String?) throws {
        file = try path.map { try OutputStream(creating: $0) }
        file?.write(csvLine(["table", "id", "column", "was", "is", "reason"]) + "\n")
    }

    mutating func add(_ change: SQLiteImport.Change) {
        counts[change.reason, default: 0] += 1
        if first[change.reason, default: []].count < Self.shown { first[change.reason, default: []].append(change) }
        file?.write(
            csvLine([
                change.table.rawValue, "\(change.id)", change.column, change.was, change.becomes,
                change.reason.rawValue,
            ]) + "\n")
    }

    func printSummary() {
        for reason in SQLiteImport.Reason.allCases {
            guard let count = counts[reason] else { continue }
            print("\n\(reason.rawValue) (\(counted(count, "time")))")
            for change in first[reason]! {
                let values = [change.was, change.becomes].map { $0 ?? "nothing" }
                print("  \(change.table.rawValue) \(change.id), \(change.column): \(values.joined(separator: " → "))")
            }
            if count > Self.shown { print("  … and \(count - Self.shown) more") }
        }
    }
}
