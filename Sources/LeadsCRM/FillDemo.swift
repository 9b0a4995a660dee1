import ArgumentParser
import Demo
import Postgres
import Store

struct FillDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Fills an empty database with a desk and traffic to look at.",
        discussion: """
            Operators, sources and weights, and the contacts of the last days as they would have come: more by day than by \
            night, a third from leads who return, most closed, some waiting. Sources have all strategies, one is sticky; some \
            contacts come in a batch, some are requeued or transferred, and an operator leaves. A database that holds \
            anything is left alone. Without a database URL it fills the private PostgreSQL in .leads-crm/ that serve uses.

            EXIT STATUS: 0 filled, 1 nothing was changed, 64 wrong usage.

            EXAMPLE: leads-crm demo && leads-crm serve
            """)

    @Option(help: "How many contacts, up to 10000.")
    var contacts = 3_000

    @Option(help: "Over how many days until now, up to 365.")
    var days = 7

    @Option(help: "Decides everything but the time.")
    var seed: UInt64 = 1

    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard (1...10_000).contains(contacts) else { throw ValidationError("--contacts must be from 1 to 10000.") }
        guard (1...365).contains(days) else { throw ValidationError("--days must be from 1 to 365.") }
    }

    func run() async throws {
        let summary = try await database.connect(creates: true) { connection in
            _ = try Migrations.migrate(&connection)
            var bar = ProgressBar()
            defer { bar.clear() }
            return try Demo(contacts: contacts, days: days, seed: seed).run(on: &connection) {
                bar.show($0, of: contacts, "contact")
            }
        }
        print(
            """
            \(counted(summary.contacts, "contact")) of \(counted(summary.leads, "lead")) over \(counted(days, "day")), at \
            \(counted(summary.sources, "source")) with \(counted(summary.operators, "operator")); active: \
            \(summary.active), of them waiting: \(summary.waiting).
            """)
        if try database.url == nil {
            print("It is in .leads-crm/: leads-crm serve, or scripts/run, serves it from this folder.")
        }
    }
}
