/// Where a load test tells how it goes.
public struct Console: Sendable {
    private let isTerminal: Bool
    private let write: @Sendable (String) -> Void

    /// - Parameter isTerminal: Whether a line can be written over.
    public init(isTerminal: Bool, write: @escaping @Sendable (String) -> Void) {
        self.isTerminal = isTerminal
        self.write = write
    }

    /// A line that stays.
    func print(_ text: String) { write(isTerminal ? "\r\u{1B}[K\(text)\n" : "\(text)\n") }

    /// The state of things: on a terminal it takes the place of the one before, elsewhere it is a line.
    func show(_ state: String) { write(isTerminal ? "\r\u{1B}[K\(state)" : "\(state)\n") }

    /// How far something has come: on a terminal only.
    func show(progress: String) { if isTerminal { show(progress) } }
}
