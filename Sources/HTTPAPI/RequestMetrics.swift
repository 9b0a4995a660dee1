import HTTPTypes
import Metrics
import Prometheus
import Synchronization

/// Times requests by method, route and status, under the names of OpenTelemetry's semantic conventions for HTTP.
final class RequestMetrics: Sendable {
    static let name = "http_server_request_duration_seconds"

    private struct Key: Hashable {
        let method: HTTPRequest.Method
        /// Empty for a path that is no route: what clients make up must not become labels.
        let route: String
        let status: Int
    }

    private let factory: any MetricsFactory
    private let timers = Mutex<[Key: Timer]>([:])

    init(_ factory: any MetricsFactory) { self.factory = factory }

    func record(_ method: HTTPRequest.Method, _ route: Route?, _ status: HTTPResponse.Status, _ duration: Duration) {
        let key = Key(method: method, route: route?.path.text ?? "", status: status.code)
        let timer = timers.withLock { timers in
            if let known = timers[key] { return known }
            let dimensions = [
                ("http_request_method", route == nil ? "_OTHER" : method.rawValue), ("http_route", key.route),
                ("http_response_status_code", String(key.status)),
            ]
            let timer = Timer(label: Self.name, dimensions: dimensions, factory: factory)
            timers[key] = timer
            return timer
        }
        timer.record(duration: duration)
    }
}
