import ArgumentParser
import Postgres

/// This program's version, as `leads-crm --version` and the API tell it.
let version = "0.1.0"

@main
struct LeadsCRM: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leads-crm",
        abstract: "Distributes leads' contacts among operators by weights and load limits, on PostgreSQL.",
        version: version,
        subcommands: [
            Serve.self, Migrate.self, CheckCounters.self, PrintReport.self, ImportSQLite.self, Doctor.self,
            RunLoadTest.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as PostgresError {
            // Whoever starts the program may see what its clients must not.
            exit(withError: Details(description: error.details))
        } catch {
            exit(withError: error)
        }
    }

    private struct Details: Error, CustomStringConvertible {
        let description: String
    }
}
