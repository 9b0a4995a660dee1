public import CRM
import HTTPTypes
public import Logging
import Model
import NIOCore
import Postgres

/// The HTTP interface of a ``CRM``. It knows requests and answers, not how they come and go.
public final class HTTPAPI: Sendable {
    let crm: CRM
    /// The version of the service, as `/` tells it.
    let version: String
    let metrics: MetricsPage
    let documentation: Documentation
    private let allowedHosts: AllowedHosts
    private let access: AccessControl
    private let logger: Logger
    private let requests: RequestMetrics
    private let router = Router(RouteGroup.all.flatMap { $0.routes })
    /// `/openapi.json`.
    let description: ByteBuffer

    /// - Parameters:
    ///   - version: The version of the service, as `/` tells it.
    ///   - documentation: The pages that explain the API.
    ///   - allowedHosts: The names under which it answers.
    ///   - access: Whether keys are asked for. Then the CRM watches them.
    ///   - logger: Where requests are logged: those that fail for no fault of theirs as errors and warnings, others
    ///     for debugging.
    ///   - metrics: Where requests are timed, and what `/metrics` answers.
    public init(
        crm: CRM, version: String, documentation: Documentation = Documentation(),
        allowedHosts: AllowedHosts = .any, access: AccessPolicy = .off, logger: Logger,
        metrics: MetricsPage = MetricsPage()
    ) {
        self.crm = crm
        self.version = version
        self.documentation = documentation
        self.allowedHosts = allowedHosts
        self.logger = logger
        self.metrics = metrics
        requests = RequestMetrics(metrics.registry)
        self.access = AccessControl(access, crm: crm, metrics: metrics.registry)
        description = ByteBuffer(bytes: Description.document(version: version))
    }

    /// Takes a request whose head has come. What can be refused without its body, is.
    public func open(_ request: Request) -> Exchange { Exchange(request, by: self) }

    /// The answer to what is no request, or one of which nothing is known.
    public func refuse(_ code: ErrorCode) -> Response {
        Exchange(Request(method: .get, target: "*", headers: [:]), by: self).refuse(code)
    }

    /// The route of a request, with the parameters in its path.
    ///
    /// - Throws: ``Refusal``.
    fileprivate func route(
        _ request: Request, _ found: inout Route?, _ caller: inout Caller
    ) throws -> [PathTemplate.Parameter] {
        guard request.targetSize <= Input.maximumTargetSize else { throw Refusal.targetTooLong }
        guard let path = percentDecoded(request.path) else { throw Refusal.malformedTarget }
        // An encoded slash is no separator (RFC 3986, section 2.2), and no name here has a slash.
        guard path.utf8.count(where: isSlash) == request.path.utf8.count(where: isSlash) else {
            throw Refusal.notFound
        }
        let (route, parameters) = try router.route(request.method == .head ? .get : request.method, path)
        found = route
        guard route.isProbe || allowedHosts.contains(request.authority) else { throw Refusal.hostNotAllowed }
        guard route.isReading || !request.isCrossSite else { throw Refusal.crossSite }
        caller = try access.caller(of: request, for: route.scope)
        return parameters
    }

    private func isSlash(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "/") }

    /// Gives an answer what all have, times it and logs it.
    fileprivate func complete(_ response: inout Response, of exchange: Exchange, failure: (any Error)?) {
        response.headers[.requestID] = exchange.identity.requestID
        if let quota = exchange.caller.quota { response.headers.tell(quota) }
        response.restrictBrowsers()
        let duration = ContinuousClock.now - exchange.start
        requests.record(exchange.request.method, exchange.route, response.status, duration)
        let level: Logger.Level =
            switch response.status {
            case .internalServerError: .error
            // Of connections that are refused the log has a number.
            case .serviceUnavailable where exchange.route != nil: .warning
            default: .debug
            }
        // The template in place of the path and query, which may hold what is personal.
        logger.log(
            level: level,
            "\(exchange.request.method) \(exchange.route?.path.text ?? "(no route)") \(response.status.code)",
            metadata: exchange.identity.metadata.merging([
                "duration_ms": .stringConvertible(duration / .milliseconds(1)),
                "error": .string(failure.map(Self.describe) ?? ""),
            ]) { $1 }.filter { $0.value != "" })
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

/// A request from its head to its answer, of which it has one, also if it is wrong or fails.
public final class Exchange: Sendable {
    /// The largest body that is read, in bytes.
    public var bodyLimit: Int { route?.bodyLimit ?? Input.maximumBodySize }

    fileprivate let request: Request
    fileprivate let identity: RequestIdentity
    fileprivate let start = ContinuousClock.now
    fileprivate let route: Route?
    fileprivate let caller: Caller
    private let parameters: [PathTemplate.Parameter]
    private let refusal: (any Error)?
    private let api: HTTPAPI

    fileprivate init(_ request: Request, by api: HTTPAPI) {
        self.request = request
        self.api = api
        identity = RequestIdentity(request.headers)
        var route: Route?
        var caller = Caller()
        do {
            parameters = try api.route(request, &route, &caller)
            refusal = nil
        } catch {
            parameters = []
            refusal = error
        }
        self.route = route
        self.caller = caller
    }

    /// Whether the body changes nothing of the answer.
    public var isRefused: Bool { refusal != nil }

    /// Answers it.
    ///
    /// - Parameters:
    ///   - body: The whole of it, at most ``bodyLimit`` bytes; without meaning if it is refused.
    ///   - eventLoop: On which this is called.
    ///   - reply: Called once, on the event loop.
    public func answer(
        body: ByteBuffer, on eventLoop: any EventLoop, reply: @escaping @Sendable (Response) -> Void
    ) {
        do {
            if let refusal { throw refusal }
            switch try route!.work(for: request, from: caller, body: body, with: parameters, by: api) {
            case .done(let response): reply(self.response(.success(response)))
            case .command(let start):
                try start { result in eventLoop.execute { reply(self.response(result.map { $0() })) } }
            case .task(let run):
                Task {
                    let result: Result<Response, any Error>
                    do { result = .success(try await run()) } catch { result = .failure(error) }
                    let response = self.response(result)
                    eventLoop.execute { reply(response) }
                }
            }
        } catch {
            reply(response(.failure(error)))
        }
    }

    /// The answer to a request that does not come to its end.
    public func refuse(_ code: ErrorCode) -> Response {
        let detail = code == .bodyTooLarge ? "The body must not be larger than \(bodyLimit >> 20) MiB" : nil
        var response = ErrorAnswer(code: code, detail).response(to: Accept(request.headers))
        api.complete(&response, of: self, failure: nil)
        return response
    }

    private func response(_ result: Result<Response, any Error>) -> Response {
        switch result {
        case .success(var response):
            api.complete(&response, of: self, failure: nil)
            return response
        case .failure(let error):
            var answer = ErrorAnswer(error)
            // With a key it counts once.
            if answer.code == .outcomeUnknown, route?.takesKey == true, request.headers[.idempotencyKey] != nil {
                answer.inviteRetry()
            }
            var response = answer.response(to: Accept(request.headers))
            api.complete(&response, of: self, failure: error)
            return response
        }
    }
}

extension Response {
    /// Tells browsers to take the answer for what it says it is, and, where it says nothing else itself, neither to
    /// keep it nor to run anything in it.
    fileprivate mutating func restrictBrowsers() {
        headers.setDefault(.xContentTypeOptions, "nosniff")
        headers.setDefault(.cacheControl, "no-store")
        headers.setDefault(.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
    }
}
