import HTTPTypes
import Hummingbird

/// One operation of the API.
struct Route: Sendable {
    typealias Handler = @Sendable (HTTPAPI, inout Input) async throws -> Response

    let method: HTTPRequest.Method
    let path: PathTemplate
    /// The `operationId` in the description of the API.
    let operationID: String
    /// Whether load balancers and the like ask it by an address, whatever the service is called. It tells nothing.
    let isProbe: Bool
    let handle: Handler

    init(_ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, handle: @escaping Handler) {
        self.method = method
        self.path = path
        self.operationID = operationID
        isProbe = ["/health", "/livez", "/readyz"].contains(path.text)
        self.handle = handle
    }

    var hasBody: Bool { method != .get }
}

/// A path of which one segment may be a parameter, for example `/api/v1/sources/{source_id}/distribution`.
struct PathTemplate: Sendable, Equatable, ExpressibleByStringLiteral {
    typealias Parameter = (name: String, value: String)

    let text: String
    /// The name of the parameter, if there is one, with what stands before and after it.
    private let parameter: String?
    private let prefix: String
    private let suffix: String

    init(stringLiteral text: String) {
        self.text = text
        let parts = text.split(maxSplits: 2, omittingEmptySubsequences: false) { $0 == "{" || $0 == "}" }
        prefix = String(parts[0])
        parameter = parts.count == 3 ? String(parts[1]) : nil
        suffix = parts.count == 3 ? String(parts[2]) : ""
    }

    /// The parameters in a path, or `nil` if the path is not of this template.
    func parameters(in path: String) -> [Parameter]? {
        guard let parameter else { return path == text ? [] : nil }
        guard path.hasPrefix(prefix), path.hasSuffix(suffix), path.utf8.count > prefix.utf8.count + suffix.utf8.count
        else { return nil }
        let value = path.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)
        return value.contains(UInt8(ascii: "/")) ? nil : [(parameter, String(Substring(value)))]
    }
}

/// Finds the route of a request.
///
/// Our own, because Hummingbird's router does not tell a wrong method from an unknown path.
struct Router: Sendable {
    private let resources: [(path: PathTemplate, routes: [Route])]

    init(_ routes: [Route]) {
        resources = routes.reduce(into: []) { resources, route in
            if let index = resources.firstIndex(where: { $0.path == route.path }) {
                resources[index].routes.append(route)
            } else {
                resources.append((route.path, [route]))
            }
        }
    }

    /// The route of a request and the parameters in its path, which has one spelling: with a slash at the end it is
    /// another, and of nothing.
    ///
    /// - Throws: ``Refusal/notFound``, ``Refusal/methodNotAllowed(allowed:)``.
    func route(_ method: HTTPRequest.Method, _ path: String) throws(Refusal) -> (Route, [PathTemplate.Parameter]) {
        for resource in resources {
            guard let parameters = resource.path.parameters(in: path) else { continue }
            if let route = resource.routes.first(where: { $0.method == method }) { return (route, parameters) }
            let allowed = resource.routes.flatMap { $0.method == .get ? [.get, .head] : [$0.method] }
            throw .methodNotAllowed(allowed: allowed)
        }
        throw .notFound
    }
}
