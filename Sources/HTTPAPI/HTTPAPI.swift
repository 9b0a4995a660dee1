public import CRM
import HTTPTypes
public import Hummingbird
import Logging

/// The HTTP interface of a ``CRM``, to be served by Hummingbird's `Application(responder:)`.
public struct HTTPAPI: HTTPResponder {
    /// What a request brings along besides itself.
    public struct Context {
        let logger: Logger
    }

    let crm: CRM
    /// The version of the service, as `/` tells it.
    let version: String
    private let router = Router(Route.all)

    /// - Parameter version: The version of the service, as `/` tells it.
    public init(crm: CRM, version: String) {
        self.crm = crm
        self.version = version
    }

    /// Answers a request, also one that is wrong or fails: nothing is thrown.
    public func respond(to request: Request, context: Context) async -> Response {
        let response: Response
        do {
            response = try await answer(request)
        } catch {
            let answer = ErrorAnswer(error)
            if answer.status == .internalServerError {
                context.logger.error("Unexpected error", metadata: ["error": "\(error)"])
            }
            response = answer.response(to: Accept(request.headers))
        }
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request) async throws -> Response {
        guard let path = percentDecoded(request.uri.path[...]) else { throw Refusal.malformedTarget }
        let (route, parameters) = try router.route(request.method == .head ? .get : request.method, path)
        var input = try await Input(request, for: route, parameters: parameters)
        return try await route.handle(self, &input)
    }
}

extension HTTPAPI.Context: InitializableFromSource {
    public init(source: ApplicationRequestContextSource) { logger = source.logger }
}
