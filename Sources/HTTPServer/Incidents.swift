import Logging
import Metrics
import Prometheus
import Synchronization

/// What is counted of connections. What clients do wrong is told to the log once in a while with its number, not each time.
final class Incidents: Sendable {
    enum Incident: String, CaseIterable {
        case malformed, head, body, unread, idle, evicted, refused

        /// What happened so many times; `nil`: nothing that anybody must know.
        fileprivate var words: String? {
            switch self {
            case .malformed: "requests that are no HTTP"
            case .head: "connections closed, because a request's head did not come in time"
            case .body: "connections closed, because a request's body did not come in time"
            case .unread: "connections closed, because their answer was not read"
            case .idle: nil
            case .evicted: "idle connections closed, to make room under CONNECTION_LIMIT"
            case .refused: "connections refused for CONNECTION_LIMIT, all others being busy"
            }
        }
    }

    private static let counter = "leads_crm_connection_incidents_total"
    private static let connections = "leads_crm_connections"
    private static let bodies = "leads_crm_body_memory_bytes"

    static let families = [
        PrometheusRegistry.Family(
            counter,
            """
            Connections that ended before their client ended them, by cause: malformed (no HTTP), head, body (too slow), unread (an \
            answer), idle, evicted and refused (CONNECTION_LIMIT).
            """),
        PrometheusRegistry.Family(connections, "Connections of clients."),
        PrometheusRegistry.Family(bodies, "Memory of request bodies that arrive, without small ones."),
    ]

    private let counters: [Incident: Counter]
    private let connectionGauge: Gauge
    private let bodyGauge: Gauge
    private let logger: Logger
    /// Since the last line in the log.
    private let news = Mutex<[Incident: Int]>([:])

    init(_ factory: any MetricsFactory, logger: Logger) {
        self.logger = logger
        counters = Dictionary(
            uniqueKeysWithValues: Incident.allCases.map {
                ($0, Counter(label: Self.counter, dimensions: [("cause", $0.rawValue)], factory: factory))
            })
        connectionGauge = Gauge(label: Self.connections, dimensions: [], factory: factory)
        bodyGauge = Gauge(label: Self.bodies, dimensions: [], factory: factory)
    }

    func count(_ incident: Incident) {
        counters[incident]!.increment()
        if incident.words != nil { news.withLock { $0[incident, default: 0] += 1 } }
    }

    func record(connections: Int, bodyMemory: Int) {
        connectionGauge.record(connections)
        bodyGauge.record(bodyMemory)
    }

    /// Logs what was counted since the last time.
    func report() {
        let news = news.withLock { news in
            defer { news = [:] }
            return news
        }
        for (incident, number) in news.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            logger.warning("\(number) \(incident.words!)", metadata: ["cause": "\(incident.rawValue)"])
        }
    }
}
