public import CoreMetrics
import Synchronization

/// Collects what is recorded through swift-metrics, for Prometheus to fetch.
///
/// Counters and aggregating recorders, and timers in seconds, become counters and histograms; a recorder that does not
/// aggregate becomes a gauge. A series lives as long as the process: whoever records must bound the number of labels.
public final class PrometheusRegistry: MetricsFactory {
    /// Declares the series of one name.
    public struct Family: Sendable {
        public let name: String
        let help: String
        let bounds: [Double]

        /// - Parameters:
        ///   - name: The label that swift-metrics is given. A counter's ends in `_total`, a timer's in `_seconds`.
        ///   - help: One sentence: what is measured, with its unit.
        ///   - bounds: The upper bounds of a histogram's buckets, ascending.
        public init(_ name: String, _ help: String, bounds: [Double] = []) {
            self.name = name
            self.help = help
            self.bounds = bounds
        }
    }

    private let families: [String: Family]
    /// The series by their family's name, then by their labels as text.
    private let series = Mutex<[String: [String: any Series]]>([:])

    /// - Parameter families: All that will be recorded; another one is a programming error.
    public init(_ families: [Family]) {
        self.families = Dictionary(uniqueKeysWithValues: families.map { ($0.name, $0) })
    }

    /// Appends all series, ordered by name and labels.
    public func write(to exposition: inout Exposition) {
        for (name, series) in series.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            let series = series.sorted { $0.key < $1.key }
            exposition.family(name, type(of: series[0].value).kind, families[name]!.help)
            for (labels, series) in series { series.write(to: &exposition, name: name, labels: labels) }
        }
    }

    private func find<S: Series>(_ label: String, _ dimensions: [(String, String)], make: (Family) -> S) -> S {
        guard let family = families[label] else { preconditionFailure("no family '\(label)'") }
        let labels = Exposition.labels(dimensions)
        return series.withLock { series in
            if let known = series[label]?[labels] { return known as! S }
            let new = make(family)
            series[label, default: [:]][labels] = new
            return new
        }
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        find(label, dimensions) { _ in CounterSeries() }
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate
            ? find(label, dimensions) { HistogramSeries(bounds: $0.bounds) }
            : find(label, dimensions) { _ in GaugeSeries() }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        find(label, dimensions) { HistogramSeries(bounds: $0.bounds) }
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}
}

private protocol Series: AnyObject, Sendable {
    static var kind: Exposition.Kind { get }
    func write(to exposition: inout Exposition, name: String, labels: String)
}

private final class CounterSeries: Series, CounterHandler {
    static let kind = Exposition.Kind.counter
    private let count = Atomic<Int64>(0)

    func increment(by amount: Int64) { count.add(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }

    func write(to exposition: inout Exposition, name: String, labels: String) {
        exposition.sample(name, labels: labels, value: count.load(ordering: .relaxed))
    }
}

private final class GaugeSeries: Series, RecorderHandler {
    static let kind = Exposition.Kind.gauge
    private let value = Mutex(0.0)

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { self.value.withLock { $0 = value } }

    func write(to exposition: inout Exposition, name: String, labels: String) {
        exposition.sample(name, labels: labels, value: value.withLock { $0 })
    }
}

private final class HistogramSeries: Series, RecorderHandler, TimerHandler {
    static let kind = Exposition.Kind.histogram

    private struct State {
        /// The number of values in each bucket, and above the last.
        var counts: [Int]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[bucket] += 1
            $0.sum += value
        }
    }

    func write(to exposition: inout Exposition, name: String, labels: String) {
        let state = state.withLock { $0 }
        let prefix = labels.isEmpty ? "" : labels + ","
        var count = 0
        for (bound, inBucket) in zip(bounds.map(\.description) + ["+Inf"], state.counts) {
            count += inBucket
            exposition.sample("\(name)_bucket", labels: "\(prefix)le=\"\(bound)\"", value: count)
        }
        exposition.sample("\(name)_sum", labels: labels, value: state.sum)
        exposition.sample("\(name)_count", labels: labels, value: count)
    }
}
