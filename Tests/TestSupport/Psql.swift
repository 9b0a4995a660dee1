import Foundation

/// A session of PostgreSQL's own client. Tests look through it at the database, past all code of ours.
public final class Psql: Sendable {
    private let process: ChildProcess
    private let sockets: SocketPair
    // A read blocks its thread, and a thread of the cooperative pool must not block.
    private let queue = DispatchQueue(label: "psql")

    /// A statement that PostgreSQL refused, or a session that has ended.
    public struct Failure: Error, CustomStringConvertible {
        /// Five characters; "57P01" stands for a session that has ended too.
        public let sqlState: String
        public let message: String
        public var description: String { "\(sqlState): \(message)" }
    }

    /// Starts `psql`; it connects meanwhile.
    public init(_ url: String) throws {
        sockets = try SocketPair()
        process = try ChildProcess(
            ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-d", url], in: ScratchDirectory.makeSubdirectory("psql"),
            streams: .socket(sockets.theirs))
        // While this end stays open, the end of psql is no end of file here.
        try sockets.theirs.close()
    }

    /// Sends a signal to the client; `SIGSTOP` keeps it from reading what PostgreSQL sends.
    public func signal(_ number: Int32) { process.signal(number) }

    /// Runs one statement and waits for its end; statements of one session run one after another.
    ///
    /// - Returns: The rows, each an array of texts; NULL is an empty text. Values hold no tab and no line break.
    /// - Throws: ``Failure``.
    @discardableResult
    public func query(_ statement: String) async throws -> [[String]] {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try self.run(statement) }) }
        }
    }

    /// Runs a file to its end, or to its first error, as a user would with `psql -f`.
    ///
    /// - Parameters:
    ///   - variables: What the file sees as psql's variables.
    ///   - role: Whose rights it has; `nil`: the session user's.
    /// - Returns: What it printed.
    /// - Throws: ``Timeout``; ``Failure`` with an empty SQLSTATE for anything but success.
    @discardableResult
    public static func run(
        file: String, variables: [String: String] = [:], role: String? = nil, on url: String
    ) async throws -> String {
        let directory = try ScratchDirectory.makeSubdirectory("psql")
        var environment = ProcessInfo.processInfo.environment
        environment["PGOPTIONS"] = role.map { "-c role=\($0)" }
        let process = try ChildProcess(
            ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
                + variables.flatMap { ["-v", "\($0.key)=\($0.value)"] } + ["-d", url, "-f", file],
            environment: environment, in: directory, streams: .files(in: directory))
        defer { process.signal(SIGKILL) }
        let status = try await process.end()
        let (output, errors) = try (
            String(contentsOfFile: directory + "/stdout", encoding: .utf8),
            String(contentsOfFile: directory + "/stderr", encoding: .utf8)
        )
        guard status == 0, errors.isEmpty else { throw Failure(sqlState: "", message: errors) }
        return output
    }

    /// The first column of the first row, as a number.
    public func number(_ statement: String) async throws -> Int {
        guard let text = try await query(statement).first?.first, let number = Int(text) else {
            throw Failure(sqlState: "02000", message: "no number from \(statement)")
        }
        return number
    }

    /// The first column, as numbers.
    public func numbers(_ statement: String) async throws -> [Int] {
        try await query(statement).compactMap { Int($0[0]) }
    }

    private func run(_ statement: String) throws -> [[String]] {
        let end = "\u{1}end"
        let report = "\\echo \u{1} :ERROR :SQLSTATE :LAST_ERROR_MESSAGE \(end)"
        let hasEnded = Failure(sqlState: "57P01", message: "psql has ended")
        guard sockets.send("\(statement);\n\(report)\n") else { throw hasEnded }
        var answer = Data()
        while !answer.suffix(end.utf8.count + 1).elementsEqual("\(end)\n".utf8) {
            let more = sockets.receive()
            guard !more.isEmpty else { throw hasEnded }
            answer += more
        }
        let text = String(decoding: answer, as: UTF8.self)
        let start = text.lastIndex { $0 == "\u{1}" }.flatMap { text[..<$0].lastIndex(of: "\u{1}") } ?? text.startIndex
        let status = text[start...].dropFirst(2).split(separator: " ", maxSplits: 2)
        guard status[0] == "false" else {
            throw Failure(sqlState: String(status[1]), message: String(status[2].dropLast(end.count + 2)))
        }
        return text[..<start].split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
    }
}
