/// Where a load test tells how it goes.
public struct Console: Sendable {
    private let width: Int?
    private let write: @Sendable (String) -> Void

    /// - Parameter width: The characters in a line of a terminal, where a line can be written over; `nil`: it is none.
    public init(width: Int?, write: @escaping @Sendable (String) -> Void) {
        self.width = width
        self.write = write
    }

    /// A line that stays.
    func print(_ text: String) { write(width == nil ? "\(text)\n" : "\r\u{1B}[K\(text)\n") }

    /// The state of things: on a terminal it takes the place of the one before, elsewhere it is a line.
    func show(_ state: String) {
        // What is longer than a line would not be overwritten whole.
        write(width.map { "\r\u{1B}[K\(state.prefix($0 - 1))" } ?? "\(state)\n")
    }

    /// How far something has come: on a terminal only.
    func show(progress: String) { if width != nil { show(progress) } }
}
