/// The output of a load test.
public struct Console: Sendable {
    private let width: Int?
    private let write: @Sendable (String) -> Void

    /// - Parameter width: The number of characters in a line of the terminal; `nil` if the output is no terminal.
    public init(width: Int?, write: @escaping @Sendable (String) -> Void) {
        self.width = width
        self.write = write
    }

    /// Prints a line that stays.
    func print(_ text: String) { write(width == nil ? "\(text)\n" : "\r\u{1B}[K\(text)\n") }

    /// Shows the current state: on a terminal it replaces the one before, elsewhere it is a line.
    func show(_ state: String) {
        // What is longer than a line would not be overwritten whole.
        write(width.map { "\r\u{1B}[K\(state.prefix($0 - 1))" } ?? "\(state)\n")
    }

    /// Shows progress, on a terminal only.
    func show(progress: String) { if width != nil { show(progress) } }
}
