/// Operations about one thing, as the description groups them.
struct RouteGroup: Sendable {
    let name: String
    let words: String
    let routes: [Route]

    init(_ name: String, _ words: String, _ routes: [Route]) {
        self.name = name
        self.words = words
        self.routes = routes
    }

    /// Everything that the API answers. `GET` includes `HEAD`.
    static let all = [operators, sources, contacts, leads, queue, statistics, keys, service]
}
