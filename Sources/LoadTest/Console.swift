import Foundation

/// Where a load test tells how it goes.
public struct Console: Sendable {
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    public init() {}

    /// A line that stays.
    func print(_ text: String) { write(isTerminal ? "\r\u{1B}[K\(text)\n" : "\(text)\n") }

    /// The state of things: on a terminal it takes the place of the one before, elsewhere it is a line.
    func show(_ state: String) { write(isTerminal ? "\r\u{1B}[K\(state)" : "\(state)\n") }

    /// How far something has come: on a terminal only.
    func show(progress: String) { if isTerminal { show(progress) } }

    private func write(_ text: String) {
        // A reader that has gone away is no reason to end a load test that may write a file.
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}
