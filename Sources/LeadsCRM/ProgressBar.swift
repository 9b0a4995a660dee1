/// Shows the progress of a long job on standard error: as a bar on a terminal, else as a line for each tenth.
struct ProgressBar {
    private let stream = OutputStream.standardError
    private var start = ContinuousClock.now
    private var lastDrawn: ContinuousClock.Instant?
    private var lastTenth = 0

    /// - Parameter what: The noun for what is counted, for example `row`.
    mutating func show(_ done: Int, of total: Int, _ what: String) {
        guard total > 0 else { return }
        let now = ContinuousClock.now
        let rate = Double(done) / max(0.001, (now - start) / .seconds(1))
        let text = "\(done * 100 / total) %  \(done) of \(counted(total, what)), \(Int(rate)) a second"
        guard stream.isInteractive else {
            guard done * 10 / total > lastTenth else { return }
            lastTenth = done * 10 / total
            return stream.write(text + "\n")
        }
        guard done == total || lastDrawn.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
        lastDrawn = now
        let width = max(0, min(40, stream.width - text.count - 4))
        let filled = width * done / total
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        // A line that the terminal breaks could not be overwritten.
        stream.write("\r\("\(bar)  \(text)".prefix(stream.width - 1))\u{1b}[K")
    }

    /// Removes the bar from the terminal.
    func clear() {
        if lastDrawn != nil { stream.write("\r\u{1b}[K") }
    }
}
