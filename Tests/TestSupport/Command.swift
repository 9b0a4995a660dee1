import Foundation

/// A run of the built command `leads-crm`.
public struct Command: Sendable {
    public let process: ChildProcess
    private let logDirectory: String

    /// A run that did not go as the test needs it.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    /// Starts the command.
    ///
    /// - Parameters:
    ///   - environment: What it gets of the environment, beyond what every program needs.
    ///   - directory: Where it runs; by default a directory of its own.
    public init(_ arguments: [String], environment: [String: String] = [:], in directory: String? = nil) throws {
        logDirectory = try ScratchDirectory.makeSubdirectory("command")
        process = try ChildProcess(
            [Self.path.get()] + arguments,
            environment: ProcessInfo.processInfo.environment
                .filter { ["HOME", "LD_LIBRARY_PATH", "PATH"].contains($0.key) }
                .merging(environment) { _, given in given },
            in: directory ?? logDirectory, streams: .files(in: logDirectory))
    }

    /// Runs the command to its end.
    ///
    /// - Throws: ``Timeout`` if there is no end.
    public static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Output {
        let command = try Command(arguments, environment: environment)
        defer { command.process.signal(SIGKILL) }
        return try await command.end()
    }

    /// Waits for the end.
    ///
    /// - Throws: ``Timeout`` if there is none.
    public func end() async throws -> Output {
        let status = try await process.end()
        return Output(status: status, standardOutput: standardOutput, standardError: standardError)
    }

    /// What a finished run left.
    public struct Output: Sendable, CustomStringConvertible {
        public let status: Int
        public let standardOutput: String
        public let standardError: String
        public var description: String { "exit status \(status)\n\(standardOutput)\n\(standardError)" }
    }

    public var standardOutput: String { Self.text(of: logDirectory + "/stdout") }
    public var standardError: String { Self.text(of: logDirectory + "/stderr") }

    /// Where SwiftPM put the command: beside the test bundle.
    public static let path = Result {
        let program = CommandLine.arguments[0]
        var directory = URL(fileURLWithPath: program).resolvingSymlinksInPath()
        while directory.path != "/" {
            directory.deleteLastPathComponent()
            let candidate = directory.appendingPathComponent("leads-crm").path
            var isDirectory: ObjCBool = false
            if FileManager.default.fileExists(atPath: candidate, isDirectory: &isDirectory), !isDirectory.boolValue {
                return candidate
            }
        }
        throw Failure("no leads-crm beside \(program)")
    }

    private static func text(of path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}
