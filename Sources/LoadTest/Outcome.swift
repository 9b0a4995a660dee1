import Histogram

/// What a load test has found.
public struct Outcome: Sendable, Encodable {
    /// Requests of one kind that were sent in the measured time and answered as they should be.
    public struct Row: Sendable, Encodable {
        public let requests: Int
        /// Requests a second.
        public let rate: Double
        /// Latency by percentile ("50", "90", "99", "99.9", "100"): from when a request was due until its answer.
        public let latencyMicroseconds: [String: UInt64]

        static let percentiles = ["50", "90", "99", "99.9", "100"]

        init(_ histogram: Histogram<UInt64>, seconds: Double) {
            requests = Int(histogram.totalCount)
            rate = seconds > 0 ? Double(requests) / seconds : 0
            latencyMicroseconds = Dictionary(
                uniqueKeysWithValues: Self.percentiles.map { ($0, histogram.valueAtPercentile(Double($0)!)) })
        }
    }

    public let options: Options
    /// How long was measured: less than was asked for if the load was ended early.
    public let seconds: Double
    public let registrations: Row
    public let closings: Row
    /// Answers by status.
    public let statuses: [String: Int]
    /// Requests without an answer, and connections that could not be opened, by kind of error.
    public let errors: [String: Int]
    /// Requests of an open loop that were due and not sent, because all connections were busy to the end.
    public let unsent: Int
    /// Seconds of processor that this program itself used in the measured time.
    public let processorSeconds: Double
    /// Empty until the load is over.
    public var checks: [PromiseCheck] = []

    init(_ options: Options, _ tally: Tally, seconds: Double, processorSeconds: Double) {
        self.options = options
        self.seconds = seconds
        registrations = Row(tally.registrations, seconds: seconds)
        closings = Row(tally.closings, seconds: seconds)
        statuses = Dictionary(uniqueKeysWithValues: tally.statuses.map { (String($0), $1) })
        errors = tally.errors
        unsent = tally.unsent
        self.processorSeconds = processorSeconds
    }

    /// Whether no promise of the service was seen broken.
    public var isPassed: Bool { checks.allSatisfy { $0.isKept != false } }
}

extension Outcome {
    /// Rates, latencies, statuses and errors, for people.
    var table: String {
        var lines = [
            "\(counted(options.connections, "connection")), "
                + (options.rate.map { "\(formatted("%.10g", $0)) \($0 == 1 ? "request" : "requests") a second due" }
                    ?? "closed loop")
                + ", \(significant(seconds)) s measured; sources \(options.sources), operators \(options.operators)",
            "",
            Self.line("", ["requests", "a second", "p50", "p90", "p99", "p99.9", "max"]),
            Self.line("registrations", Self.cells(registrations)),
        ]
        if options.closeShare > 0 { lines.append(Self.line("closings", Self.cells(closings))) }
        lines += ["", "answers       " + Self.list(statuses), "errors        " + Self.list(errors)]
        if options.rate != nil { lines.append("due, not sent " + grouped(unsent)) }
        let requests = registrations.requests + closings.requests
        lines.append(
            "load test     \(significant(seconds > 0 ? processorSeconds / seconds : 0)) processors used by itself"
                + (requests > 0 ? ", \(significant(processorSeconds * 1e6 / Double(requests))) µs a request" : ""))
        return lines.joined(separator: "\n")
    }

    private static func line(_ title: String, _ cells: [String]) -> String {
        // 80 columns: what a terminal has at least.
        title + String(repeating: " ", count: 13 - title.count)
            + cells.enumerated().map { padded($1, to: $0 == 0 ? 11 : 9) }.joined()
    }

    private static func cells(_ row: Row) -> [String] {
        [grouped(row.requests), grouped(Int(row.rate.rounded()))]
            + Row.percentiles.map { row.requests > 0 ? duration(microseconds: row.latencyMicroseconds[$0]!) : "-" }
    }

    private static func list(_ counts: [String: Int]) -> String {
        counts.isEmpty
            ? "none"
            : counts.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
                .map { "\($0.key): \(grouped($0.value))" }.joined(separator: ", ")
    }
}

extension PromiseCheck {
    /// A line for people.
    var line: String {
        let verdict =
            switch isKept {
            case true?: "ok     "
            case false?: "BROKEN "
            case nil: "-      "
            }
        return verdict + promise + (detail.isEmpty ? "" : ": \(detail)")
    }
}
