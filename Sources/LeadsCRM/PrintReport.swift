import ArgumentParser
import Postgres
import Store

struct PrintReport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Prints a report of the schema reporting as a table.",
        discussion: """
            Without a name it says which reports there are. On a terminal columns are narrowed to fit, and what is longer \
            than the screen goes through PAGER (less); elsewhere values are printed as wide as they are. Times are shown to \
            the second, in the time zone of the session (PGTZ); --csv and --json keep fractions and zone.

            EXIT STATUS: 0 printed, 1 the database could not be read, 64 wrong usage.

            EXAMPLES:
              leads-crm report operator_load
              leads-crm report contacts --limit 20
              leads-crm report contacts_per_hour --csv > hours.csv
            """)

    @OptionGroup var database: DatabaseOptions

    @Argument(help: "The report, for example operator_load.")
    var name: String?

    @Flag(help: "Print comma-separated values (RFC 4180).")
    var csv = false

    @Flag(help: "Print a JSON array of objects.")
    var json = false

    @Option(help: ArgumentHelp("Print the first rows only.", valueName: "rows"))
    var limit: Int?

    @Flag(help: "Print all at once, without a pager.")
    var noPager = false

    func validate() throws {
        if csv && json { throw ValidationError("Give --csv or --json, not both.") }
        if let limit, !(1...Int(Int32.max)).contains(limit) {
            throw ValidationError("--limit must be from 1 to \(Int32.max).")
        }
    }

    func run() async throws {
        guard let name else {
            return show(Table(["report", "what it shows"], Report.names.map { [$0.name, $0.comment] }))
        }
        let report = try await database.connect { connection in
            try connection.read { try Report(name, limit: limit, toTheSecond: !csv && !json, on: &$0) }
        }
        guard let report else {
            throw ValidationError(
                Report.names.contains { $0.name == name }
                    ? "This database has no report '\(name)' yet: leads-crm migrate."
                    : "There is no report '\(name)'. 'leads-crm report' lists them.")
        }
        if json {
            print("[\(report.json.joined(separator: ",\n "))]")
        } else if csv {
            for line in [report.columns] + report.rows { print(csvLine(line)) }
        } else {
            let left = report.hasMore ? "; --limit leaves out the rest" : ""
            show(
                Table(report.columns, report.rows), footer: "(\(counted(report.rows.count, "row"))\(left))")
        }
    }

    private func show(_ table: Table, footer: String? = nil) {
        page(table.lines(on: .standardOutput) + [footer].compactMap(\.self), pager: noPager ? nil : standardPager)
    }
}
