import Foundation

/// A running `leads-crm serve`.
public struct Instance: Sendable {
    public let command: Command
    public let client: Client

    /// Starts an instance on a free port and waits until it serves.
    ///
    /// - Parameters:
    ///   - databaseURL: `nil`: the command brings its own PostgreSQL.
    ///   - environment: Further settings, such as `REQUEST_TIMEOUT`.
    ///   - directory: Where it runs; by default an empty directory of its own.
    /// - Throws: ``Command/Failure`` with what it wrote to standard error.
    public static func start(
        databaseURL: String?, environment: [String: String] = [:], in directory: String? = nil
    ) async throws -> Instance {
        let arguments = ["serve", "--port", "0"] + (databaseURL.map { ["--database-url", $0] } ?? [])
        let command = try Command(arguments, environment: environment, in: directory)
        let announcement = "Listening on "
        var url: String?
        do {
            try await eventually("an instance serves") {
                url = command.standardOutput.split(separator: "\n")
                    .first { $0.hasPrefix(announcement) }.map { String($0.dropFirst(announcement.count)) }
                return url != nil || command.process.exitStatus != nil
            }
        } catch {
            command.process.signal(SIGKILL)
            throw Command.Failure("\(error)\n\(command.standardError)")
        }
        guard let url else { throw Command.Failure("serve ended at once\n\(command.standardError)") }
        return Instance(command: command, client: Client(baseURL: url))
    }

    /// Ends the process at once, as a crash would, and waits until it is gone.
    public func kill() async throws {
        command.process.signal(SIGKILL)
        try await command.process.end()
    }

    /// Asks the process to stop.
    ///
    /// - Returns: Its exit status.
    @discardableResult
    public func stop(_ signal: Int32 = SIGTERM) async throws -> Int {
        command.process.signal(signal)
        return try await command.process.end()
    }
}
