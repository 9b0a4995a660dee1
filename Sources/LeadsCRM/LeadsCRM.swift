import ArgumentParser

/// This program's version, as `leads-crm --version` and the API tell it.
let version = "0.1.0"

@main
struct LeadsCRM: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leads-crm",
        abstract: "Distributes leads' contacts among operators by weights and load limits, on PostgreSQL.",
        version: version,
        subcommands: [Serve.self, Migrate.self, CheckCounters.self])
}
