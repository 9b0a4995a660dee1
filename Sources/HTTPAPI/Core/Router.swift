import HTTPTypes

/// A path of which segments may be parameters, for example `/api/v1/sources/{source_id}/distribution`.
struct PathTemplate: Sendable, Equatable, ExpressibleByStringLiteral {
    typealias Parameter = (name: String, value: String)

    enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
    }

    let text: String
    let segments: [Segment]

    init(stringLiteral text: String) {
        self.text = text
        segments = Self.split(text).map { segment in
            segment.first == "{" ? .parameter(String(segment.dropFirst().dropLast())) : .literal(String(segment))
        }
    }

    static func split(_ path: String) -> [Substring] {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Substring($0) }
    }

    /// The parameters in a path that was split, or `nil` if it is not of this template.
    func parameters(in path: [Substring]) -> [Parameter]? {
        guard path.count == segments.count else { return nil }
        var parameters: [Parameter] = []
        for (segment, value) in zip(segments, path) {
            switch segment {
            case .literal(let text): guard value == text else { return nil }
            case .parameter(let name):
                guard !value.isEmpty else { return nil }
                parameters.append((name, String(value)))
            }
        }
        return parameters
    }

    /// In whose order templates are asked: a literal segment wins over a parameter, the first that differs decides.
    var precedence: [Int] {
        segments.map { segment in
            if case .literal = segment { 0 } else { 1 }
        }
    }
}

/// Finds the route of a request.
///
/// Our own, because Hummingbird's router does not tell a wrong method from an unknown path.
struct Router: Sendable {
    private typealias Resource = (path: PathTemplate, routes: [Route])

    /// Those without parameters, by their paths.
    private let literals: [String: Resource]
    /// The others, in the order in which they are asked.
    private let templates: [Resource]

    /// - Parameter routes: In any order.
    init(_ routes: [Route]) {
        let resources = routes.reduce(into: [Resource]()) { resources, route in
            if let index = resources.firstIndex(where: { $0.path == route.path }) {
                resources[index].routes.append(route)
            } else {
                resources.append((route.path, [route]))
            }
        }
        let split = Dictionary(grouping: resources) { $0.path.precedence.allSatisfy { $0 == 0 } }
        literals = Dictionary(uniqueKeysWithValues: split[true, default: []].map { ($0.path.text, $0) })
        templates = split[false, default: []].sorted {
            $0.path.precedence.lexicographicallyPrecedes($1.path.precedence)
        }
    }

    /// The route of a request and the parameters in its path, which has one spelling: with a slash at the end it is
    /// another, and of nothing.
    ///
    /// - Throws: ``Refusal/notFound``, ``Refusal/methodNotAllowed(allowed:)``.
    func route(_ method: HTTPRequest.Method, _ path: String) throws(Refusal) -> (Route, [PathTemplate.Parameter]) {
        if let resource = literals[path] { return (try Self.route(method, of: resource), []) }
        let segments = PathTemplate.split(path)
        for resource in templates {
            guard let parameters = resource.path.parameters(in: segments) else { continue }
            return (try Self.route(method, of: resource), parameters)
        }
        throw .notFound
    }

    private static func route(_ method: HTTPRequest.Method, of resource: Resource) throws(Refusal) -> Route {
        if let route = resource.routes.first(where: { $0.method == method }) { return route }
        throw .methodNotAllowed(allowed: resource.routes.flatMap { $0.isReading ? [.get, .head] : [$0.method] })
    }
}
