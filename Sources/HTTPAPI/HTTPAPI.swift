public import CRM
import HTTPTypes
public import Hummingbird
public import Logging
import Model
import NIOCore
import Postgres

/// The HTTP interface of a ``CRM``, to be served by Hummingbird's `Application(responder:)`.
public struct HTTPAPI: HTTPResponder {
    /// Nothing comes along with a request.
    public struct Context: InitializableFromSource {
        public init(source: ApplicationRequestContextSource) {}
    }

    let crm: CRM
    /// The version of the service, as `/` tells it.
    let version: String
    let metrics: MetricsPage
    let documentation: Documentation
    private let allowedHosts: AllowedHosts
    private let logger: Logger
    private let requests: RequestMetrics
    private let router = Router(RouteGroup.all.flatMap { $0.routes })
    /// `/openapi.json`.
    let description: ByteBuffer

    /// - Parameters:
    ///   - version: The version of the service, as `/` tells it.
    ///   - documentation: The pages that explain the API.
    ///   - allowedHosts: The names under which it answers.
    ///   - logger: Where requests are logged: those that fail for no fault of theirs as errors and warnings, others
    ///     for debugging.
    ///   - metrics: Where requests are timed, and what `/metrics` answers.
    public init(
        crm: CRM, version: String, documentation: Documentation = Documentation(),
        allowedHosts: AllowedHosts = .any, logger: Logger, metrics: MetricsPage = MetricsPage()
    ) {
        self.crm = crm
        self.version = version
        self.documentation = documentation
        self.allowedHosts = allowedHosts
        self.logger = logger
        self.metrics = metrics
        requests = RequestMetrics(metrics.registry)
        description = ByteBuffer(bytes: Description.document(version: version))
    }

    /// Answers a request, also one that is wrong or fails: nothing is thrown.
    public func respond(to request: Request, context: Context) async -> Response {
        let start = ContinuousClock.now
        let identity = RequestIdentity(request.headers)
        var route: Route?
        var response: Response
        var failure: (any Error)?
        do {
            response = try await answer(request, &route)
        } catch {
            failure = error
            response = ErrorAnswer(error).response(to: Accept(request.headers))
        }
        response.headers[.requestID] = identity.requestID
        response.restrictBrowsers()
        let duration = ContinuousClock.now - start
        requests.record(request.method, route, response.status, duration)
        let level: Logger.Level =
            switch response.status {
            case .internalServerError: .error
            case .serviceUnavailable: .warning
            default: .debug
            }
        // The template in place of the path and query, which may hold what is personal.
        logger.log(
            level: level, "\(request.method) \(route?.path.text ?? "(no route)") \(response.status.code)",
            metadata: identity.metadata.merging([
                "duration_ms": .stringConvertible(duration / .milliseconds(1)),
                "error": .string(failure.map(Self.describe) ?? ""),
            ]) { $1 }.filter { $0.value != "" })
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, _ found: inout Route?) async throws -> Response {
        guard request.head.path?.utf8.count ?? 0 <= Input.maximumTargetSize else { throw Refusal.targetTooLong }
        guard let path = percentDecoded(request.uri.path[...]) else { throw Refusal.malformedTarget }
        let (route, parameters) = try router.route(request.method == .head ? .get : request.method, path)
        found = route
        guard route.isProbe || allowedHosts.contains(request.head.authority) else { throw Refusal.hostNotAllowed }
        guard route.isReading || !request.head.isCrossSite else { throw Refusal.crossSite }
        return try await route.answer(request, with: parameters, by: self)
    }

    /// For the log: nothing that a client sent.
    private static func describe(_ error: any Error) -> String {
        switch error {
        case let error as PostgresError: error.details
        case CRMError.unavailable(let reason): "\(reason)"
        case is CRMError, is Refusal: ""
        default: "\(type(of: error))"
        }
    }
}

extension Response {
    private static let noSniffing = HTTPField(name: .xContentTypeOptions, value: "nosniff")
    private static let noStore = HTTPField(name: .cacheControl, value: "no-store")
    private static let noContent = HTTPField(
        name: .contentSecurityPolicy, value: "default-src 'none'; frame-ancestors 'none'")

    /// Tells browsers to take the answer for what it says it is, and, where it says nothing else itself, neither to
    /// keep it nor to run anything in it.
    fileprivate mutating func restrictBrowsers() {
        headers.append(Self.noSniffing)
        if headers[.cacheControl] == nil { headers.append(Self.noStore) }
        if headers[.contentSecurityPolicy] == nil { headers.append(Self.noContent) }
    }
}
