import ArgumentParser
import CRM
import Postgres

struct CheckCounters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compares operators' loads and the distribution's counts with a recount.",
        discussion: "Prints what differs and exits with 1 if anything does.")

    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        var connection = try database.connect(Settings())
        let differences = try Check().run(on: &connection)
        for line in differences { print(line) }
        guard differences.isEmpty else { throw ExitCode.failure }
        print("all counters agree with a recount")
    }
}
