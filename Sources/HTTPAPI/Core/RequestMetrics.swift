import HTTPTypes
import Metrics
import Prometheus
import Synchronization

/// Times requests by method, route and status, under the names of OpenTelemetry's semantic conventions for HTTP.
final class RequestMetrics: Sendable {
    /// What the registry must know.
    static let family = PrometheusRegistry.Family(
        "http_server_request_duration_seconds",
        "Time from a request's arrival to its answer, by method, route template and status.",
        bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])

    private struct Key: Hashable {
        /// `nil` for a path that is no route: what clients make up must not become labels.
        let route: ObjectIdentifier?
        let isHead: Bool
        let status: Int
    }

    private let factory: any MetricsFactory
    private let timers = Mutex<[Key: Timer]>([:])

    init(_ factory: any MetricsFactory) { self.factory = factory }

    func record(_ method: HTTPRequest.Method, _ route: Route?, _ status: HTTPResponse.Status, _ duration: Duration) {
        let key = Key(route: route.map(ObjectIdentifier.init), isHead: method == .head, status: status.code)
        let timer = timers.withLock { timers in
            if let known = timers[key] { return known }
            let dimensions = [
                ("http_request_method", route == nil ? "_OTHER" : method.rawValue),
                ("http_route", route?.path.text ?? ""),
                ("http_response_status_code", String(status.code)),
            ]
            let timer = Timer(label: Self.family.name, dimensions: dimensions, factory: factory)
            timers[key] = timer
            return timer
        }
        timer.record(duration: duration)
    }
}
