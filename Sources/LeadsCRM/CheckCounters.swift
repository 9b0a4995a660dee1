import ArgumentParser
import Postgres
import Store

struct CheckCounters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compares operators' loads and the distribution's counts with a recount.",
        discussion: """
            Prints what differs. It counts every contact: seconds for ten million.

            EXIT STATUS: 0 all agree, or now do; 1 something differs; 64 wrong usage.
            """)

    @OptionGroup var database: DatabaseOptions

    @Flag(help: "Set the counters to the recount (takes the tables' owner). Instances wait meanwhile.")
    var repair = false

    func run() async throws {
        let differences = try await database.connect { connection in
            let differences = try connection.read { try Check().run(on: &$0) }
            for line in differences { print(line) }
            if repair, !differences.isEmpty { try CounterRepair.run(on: &connection) }
            return differences.count
        }
        if differences == 0 { return print("all counters agree with a recount") }
        guard repair else { throw ExitCode.failure }
        print("set to a recount: \(counted(differences, "counter"))")
    }
}
