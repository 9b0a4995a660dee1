import ArgumentParser
import CRM
import Postgres

struct PrintReport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Prints a report of the schema reporting as a table.",
        discussion: """
            Without a name it says which reports there are.

            EXIT STATUS: 0 printed, 1 the database could not be read, 64 wrong usage.

            EXAMPLE: leads-crm report contacts_per_hour --csv > hours.csv
            """)

    @OptionGroup var database: DatabaseOptions

    @Argument(help: "The report, for example operator_load.")
    var name: String?

    @Flag(help: "Print comma-separated values (RFC 4180).")
    var csv = false

    @Flag(help: "Print a JSON array of objects.")
    var json = false

    func validate() throws {
        if csv && json { throw ValidationError("Give --csv or --json, not both.") }
    }

    func run() async throws {
        var connection = try database.connect(Settings())
        guard let name else {
            let names = try Report.names(on: &connection)
            return printTable(["report", "what it shows"], names.map { [$0.name, $0.comment] })
        }
        guard let report = try Report(name, on: &connection) else {
            throw ValidationError("There is no report '\(name)'. 'leads-crm report' lists them.")
        }
        if json {
            print("[\(report.json.joined(separator: ",\n "))]")
        } else if csv {
            for line in [report.columns] + report.rows { print(csvLine(line)) }
        } else {
            printTable(report.columns, report.rows)
        }
    }
}
