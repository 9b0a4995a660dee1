import ArgumentParser
import Model
import Postgres
import Store

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings a database to the schema of this program.",
        discussion: """
            Forward only, one transaction for each migration. Several may run at once: one works, the others wait.

            EXIT STATUS: 0 the database is up to date, 1 it is not, 64 wrong usage.
            """)

    @OptionGroup var database: DatabaseOptions

    @Option(help: "The last migration to apply.")
    var to: Int32?

    @Flag(help: "Say which migrations the database has, and change nothing.")
    var status = false

    func run() async throws {
        try await database.connect { connection in
            if status {
                let rows = try Migrations.status(&connection).map { migration in
                    ["\(migration.version)", migration.name, migration.appliedAt?.toTheSecond ?? "pending"]
                }
                page(Table(["version", "name", "applied"], rows).lines(on: .standardOutput), pager: nil)
                return
            }
            let applied = try Migrations.migrate(&connection, to: to)
            if to == nil { try settings.addAdminKey(&connection) }
            print(applied.isEmpty ? "up to date" : "applied \(applied.map(String.init).joined(separator: ", "))")
        }
    }
}

extension Timestamp {
    /// The time to the second, in UTC, for people.
    fileprivate var toTheSecond: String { description.prefix(19).replacing("T", with: " ") + " UTC" }
}
