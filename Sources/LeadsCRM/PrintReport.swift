import ArgumentParser
import CRM
import Postgres

struct PrintReport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Prints a report of the schema reporting as a table.",
        discussion: "Without a name it says which reports there are.")

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
            for line in [report.columns] + report.rows { print(line.map(csvField).joined(separator: ",")) }
        } else {
            printTable(report.columns, report.rows)
        }
    }

    private func csvField(_ value: String?) -> String {
        guard let value else { return "" }
        guard value.isEmpty || value.contains(where: { ",\"\r\n".contains($0) }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// Columns as wide as their widest value; numbers to the right.
    private func printTable(_ columns: [String], _ rows: [[String?]]) {
        let widths = columns.indices.map { column in
            max(columns[column].count, rows.map { $0[column]?.count ?? 0 }.max() ?? 0)
        }
        func line(_ values: [String?]) -> String {
            zip(values, widths).map { value, width in
                let text = value ?? ""
                let padding = String(repeating: " ", count: width - text.count)
                return Double(text) == nil ? text + padding : padding + text
            }.joined(separator: "  ")
        }
        print(line(columns))
        print(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "))
        for row in rows { print(line(row)) }
        print("(\(rows.count) row\(rows.count == 1 ? "" : "s"))")
    }
}
