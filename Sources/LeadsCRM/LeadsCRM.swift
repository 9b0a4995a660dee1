import ArgumentParser
import Diagnosis
import Postgres

/// This program's version, as `leads-crm --version` and the API tell it.
let version = "0.1.0"

@main
struct LeadsCRM: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leads-crm",
        abstract: "Distributes leads' contacts among operators by weights and load limits, on PostgreSQL.",
        discussion: """
            A first look: leads-crm demo && leads-crm serve, then http://127.0.0.1:8000. When something is wrong: \
            leads-crm doctor.

            All commands use the database that --database-url or DATABASE_URL names, else the private PostgreSQL in \
            .leads-crm/ of the current folder, which serve and demo make. Colours and progress bars are for terminals; NO_COLOR \
            switches colours off. Completion for bash, zsh and fish: leads-crm --generate-completion-script SHELL.

            EXIT STATUS: 0 done, 1 failed or found something wrong, 64 wrong usage or setting.
            """,
        version: version,
        subcommands: [
            Serve.self, Migrate.self, CheckCounters.self, PrintReport.self, ImportSQLite.self, Doctor.self,
            RunLoadTest.self, FillDemo.self, Keys.self,
        ])

    static func main() async {
        OutputStream.holdStandardDescriptors()
        var failure = await failure()
        if let loss = OutputStream.failure() {
            OutputStream.standardError.write("Error: \(loss)\n")
            failure = failure ?? ExitCode.failure
        }
        exit(withError: failure)
    }

    /// Runs the command that the arguments name; returns why it failed, for ``exit(withError:)``.
    private static func failure() async -> (any Error)? {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return nil
        } catch let error as ValidationError {
            // Without the usage, which says nothing of what was found wrong while running.
            OutputStream.standardError.write("Error: \(error.message)\n")
            return ExitCode.validationFailure
        } catch let error as PostgresError {
            // Whoever starts the program may see what its clients must not.
            return Details(description: error.details + (error.remedy.map { "\n  → \($0)" } ?? ""))
        } catch {
            return error
        }
    }

    private struct Details: Error, CustomStringConvertible {
        let description: String
    }
}
