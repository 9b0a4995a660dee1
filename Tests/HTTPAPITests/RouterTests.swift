import HTTPTypes
import Testing

@testable import HTTPAPI

@Suite struct RouterTests {
    private let router = Router(RouteGroup.all.flatMap { $0.routes })

    @Test(
        "A path finds its route and its parameter",
        arguments: [
            (.get, "/", "get_root", ""), (.get, "/health", "get_health", ""), (.get, "/livez", "get_livez", ""),
            (.get, "/readyz", "get_readyz", ""), (.get, "/metrics", "get_metrics", ""),
            (.post, "/api/v1/contacts", "register_contact", ""),
            (.get, "/api/v1/contacts/stats/distribution", "count_contacts", ""),
            (.get, "/api/v1/contacts/stats", "get_contact", "stats"),
            (.get, "/api/v1/contacts/12", "get_contact", "12"),
            (.patch, "/api/v1/contacts/-1", "update_contact", "-1"),
            (.get, "/api/v1/sources/5/distribution", "get_distribution", "5"),
            (.put, "/api/v1/sources/distribution/distribution", "replace_distribution", "distribution"),
            (.get, "/api/v1/sources/distribution", "get_source", "distribution"),
            (.get, "/problems/operator_full", "get_problem", "operator_full"), (.get, "/docs", "get_docs", ""),
            (.get, "/docs/assets/swagger-ui.css", "get_docs_asset", "swagger-ui.css"),
        ] as [(HTTPRequest.Method, String, String, String)])
    func found(_ method: HTTPRequest.Method, _ path: String, operationID: String, parameter: String) throws {
        let (route, parameters) = try router.route(method, path)
        #expect(route.operationID == operationID)
        #expect(parameters.first?.value ?? "" == parameter)
    }

    @Test("A path may have several parameters, and a literal wins over a parameter whatever the order of the routes")
    func severalParameters() throws {
        let routes = ["/a/{x}/c/{y}", "/a/{x}/c/d", "/a/b/{z}/{y}", "/a/b/c/d"].map { path in
            Route(
                .get, PathTemplate(stringLiteral: path), path, scope: .public, "", answers: .response("")
            ) { _ in Response(status: .ok) }
        }
        for routes in [routes, routes.reversed()] {
            let router = Router(routes)
            for (path, found, values) in [
                ("/a/1/c/2", "/a/{x}/c/{y}", ["1", "2"]), ("/a/1/c/d", "/a/{x}/c/d", ["1"]),
                ("/a/b/1/d", "/a/b/{z}/{y}", ["1", "d"]), ("/a/b/c/2", "/a/b/{z}/{y}", ["c", "2"]),
                ("/a/b/c/d", "/a/b/c/d", []),
            ] {
                let (route, parameters) = try router.route(.get, path)
                #expect(route.operationID == found)
                #expect(parameters.map(\.value) == values)
            }
            #expect(throws: Refusal.notFound) { try router.route(.get, "/a/1/c/") }
        }
    }

    @Test(
        "An unknown path is not found, whatever the method",
        arguments: [
            "", "///", "/healthy", "/HEALTH", "/health/", "/api", "/api/v1", "/api/v1/operators/",
            "/api/v1/operators/1/",
            "/api/v1/operators/1/2",
            "/api/v1/sources//distribution", "/api/v1/sources/1/2/distribution", "/api/v1/operators/1/distribution",
            "/api/v1/contacts/stats/distribution/x", "/api/v1/operators/1\n/2", "health", "*",
        ])
    func notFound(_ path: String) {
        for method in [HTTPRequest.Method.get, .delete, .connect] {
            #expect(throws: Refusal.notFound) { try router.route(method, path) }
        }
    }

    @Test("A known path with a wrong method says which it has")
    func methodNotAllowed() {
        for (path, allowed) in [
            ("/health", [.get, .head]), ("/api/v1/operators", [.post, .get, .head]),
            ("/api/v1/operators/x", [.get, .head, .patch, .delete]),
            ("/api/v1/sources/1/distribution", [.post, .put, .get, .head]),
            ("/api/v1/contacts/stats/distribution", [.get, .head]),
        ] as [(String, [HTTPRequest.Method])] {
            #expect(throws: Refusal.methodNotAllowed(allowed: allowed)) { try router.route(.trace, path) }
            #expect(throws: Refusal.methodNotAllowed(allowed: allowed)) { try router.route(.options, path) }
        }
    }
}

@Suite struct QueryItemTests {
    @Test("A query is split and decoded")
    func items() throws {
        #expect(try QueryItem.items(of: "") == [])
        #expect(
            try QueryItem.items(of: "&a=1&&b&c=&=d&a=%D1%8F+%2B=x&%61=~") == [
                QueryItem(name: "a", value: "1"), QueryItem(name: "b", value: ""), QueryItem(name: "c", value: ""),
                QueryItem(name: "", value: "d"), QueryItem(name: "a", value: "я +=x"), QueryItem(name: "a", value: "~"),
            ])
    }

    @Test(
        "A query that is not correctly encoded is refused",
        arguments: ["a=%", "a=%4", "a=%zz", "%g0", "a=%ff", "a=%c3"])
    func malformed(_ query: String) {
        #expect(throws: Refusal.malformedTarget) { try QueryItem.items(of: query[...]) }
    }

    @Test("A plus is a space in a query only")
    func plus() {
        #expect(percentDecoded("a+b%20c") == "a+b c")
        #expect(percentDecoded("a+b%20c", plusIsSpace: true) == "a b c")
    }

    @Test("What was encoded decodes to the same")
    func roundTrip() throws {
        let text = String(String.UnicodeScalarView((0..<0x500).compactMap(Unicode.Scalar.init))) + "😀"
        let encoded = QueryItem.text([QueryItem(name: text, value: text), QueryItem(name: "a", value: "")])
        #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !#"<>"{}|\^`"#.utf8.contains($0) })
        #expect(
            try QueryItem.items(of: encoded[...]) == [
                QueryItem(name: text, value: text), QueryItem(name: "a", value: ""),
            ])
        #expect(percentEncoded("aZ09-._~ /я") == "aZ09-._~%20%2F%D1%8F")
    }
}

@Suite struct MediaTypeTests {
    @Test(
        "JSON is what is declared as such",
        arguments: [
            ("application/json", true), ("Application/JSON; charset=utf-8", true), ("application/json;", true),
            (" application/json ;x", true), ("", false), (";", false), ("application/vnd.api+json", false),
            ("text/json", false), ("text/plain", false), ("application/jsonx", false), ("application/xml+jso", false),
            ("application/x-www-form-urlencoded", false), ("application", false), ("multipart/form-data", false),
        ])
    func json(_ contentType: String, expected: Bool) {
        #expect(isJSON(contentType: contentType) == expected)
    }

    @Test(
        "A media type is wanted as much as its own entry says",
        arguments: [
            (nil, 0), ("*/*", 0), ("text/*", 0), ("text/html", 1), ("TEXT/html ; q=0.5", 0.5),
            ("a/b, text/html;q=0", 0),
            ("text/html;level=1;q=0.25, a/b", 0.25), ("a/b;q=0.1,text/html; Q = 0.5 ", 0.5), ("text/htmlx", 0),
            ("text/html;q=x", 1), (",,;", 0),
        ] as [(String?, Double)])
    func quality(_ header: String?, expected: Double) {
        let headers: HeaderFields = header.map { [.accept: $0] } ?? [:]
        #expect(Accept(headers).quality(of: "text/html") == expected)
    }
}
