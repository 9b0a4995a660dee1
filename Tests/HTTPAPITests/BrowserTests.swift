import HTTPTypes
import Testing

@testable import HTTPAPI

/// What browsers may do when a page of another site is open in them.
extension HTTPAPITests {
    @Test("A body that is not declared as JSON is not read")
    func mediaType() async throws {
        for type in [nil, "", "text/plain", "application/vnd.x+json; charset=utf-8"] {
            let response = try await send(.post, "/api/v1/sources", body: "{}", contentType: type)
            #expect(response.status == .unsupportedMediaType, "\(type ?? "none")")
            #expect(
                response.text
                    == #"{"detail":"The body must be application/json","code":"unsupported_media_type"}"#)
        }
        for type in ["application/json", "Application/JSON; charset=utf-8"] {
            let response = try await send(.post, "/api/v1/sources", body: "{}", contentType: type)
            #expect(response.status == .unprocessableContent)
        }
    }

    @Test("Under a name that is not the service's nothing is answered but the checks of load balancers")
    func hosts() async throws {
        for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"] {
            for (method, target) in [
                (HTTPRequest.Method.get, "/"), (.get, "/metrics"), (.get, "/docs"), (.get, "/api/v1/leads/x"),
                (.post, "/api/v1/sources"),
            ] {
                let response = try await send(method, target, host: host, allowedHosts: .loopback)
                #expect(response.status == .misdirectedRequest, "\(target)")
                let text = """
                    {"detail":"The service does not go by the name in Host; see ALLOWED_HOSTS","code":"host_not_allowed"}
                    """
                #expect(response.text == text)
            }
            for target in ["/health", "/livez"] {
                #expect(try await send(.get, target, host: host, allowedHosts: .loopback).status == .ok)
            }
            #expect(try await send(.get, "/readyz", host: host, allowedHosts: .loopback).status == .serviceUnavailable)
        }
        for host in [nil, "", "localhost:8000"] {
            #expect(try await send(.get, "/", host: host, allowedHosts: .loopback).status == .ok)
        }
        #expect(try await send(.get, "/", host: "evil.example").status == .ok)
    }

    @Test("What a browser sends for another site changes nothing, and may read only as far as the browser lets it")
    func crossSite() async throws {
        let origin = HTTPField.Name.origin
        let foreign: [HeaderFields] = [
            [.secFetchSite: "cross-site"], [.secFetchSite: "same-site"],
            [.secFetchSite: "cross-site", origin: "http://x"], [origin: "null"], [origin: "http://evil.example"],
            [origin: "http://x:8001"], [origin: "http://evil.x"],
        ]
        let own: [HeaderFields] = [
            [:], [.secFetchSite: "none"], [.secFetchSite: "same-origin"], [origin: "http://x"], [origin: "https://x"],
            [.secFetchSite: "same-origin", origin: "https://proxy.example"],
        ]
        for (method, target) in [
            (HTTPRequest.Method.post, "/api/v1/contacts"), (.put, "/api/v1/sources/1/distribution"),
            (.patch, "/api/v1/operators/1"),
        ] {
            for headers in foreign {
                let response = try await send(method, target, headers: headers, body: "[]")
                #expect(response.status == .forbidden, "\(headers)")
                #expect(
                    response.text
                        == #"{"detail":"A page of another site may not change anything here","code":"cross_site"}"#)
            }
            for headers in own {
                let response = try await send(method, target, headers: headers, body: "[]")
                #expect(response.status == .unprocessableContent, "\(headers)")
            }
        }
        for headers in foreign { #expect(try await send(.get, "/", headers: headers).status == .ok) }
    }

    @Test("A browser keeps nothing, guesses no type and runs nothing, unless the answer is a page or a file for it")
    func browserHeaders() async throws {
        for (target, accept, isPage) in [
            ("/", "text/html", true), ("/problems/deadline", "text/html", true), ("/docs", "*/*", true),
            ("/redoc", "*/*", true), ("/", "*/*", false),
            ("/metrics", "*/*", false), ("/api/v1/leads/1", "*/*", false), ("/nowhere", "*/*", false),
            ("/openapi.json", "*/*", false), ("/health", "*/*", false),
        ] {
            let headers = try await send(.get, target, headers: [.accept: accept]).headers
            #expect(headers.values(of: .xContentTypeOptions) == ["nosniff"], "\(target)")
            #expect(headers[.cacheControl] != nil, "\(target)")
            guard !isPage else { continue }
            #expect(headers[.cacheControl] == "no-store", "\(target)")
            #expect(headers[.contentSecurityPolicy] == "default-src 'none'; frame-ancestors 'none'", "\(target)")
        }
    }

    @Test(
        "A page's own files are there, whatever the CDN does",
        arguments: ["/", "/docs", "/redoc", "/problems/deadline"])
    func ownFiles(_ path: String) async throws {
        let page = try await send(.get, path, headers: [.accept: "text/html"]).text
        var names = Set(page.matches(of: /"\/docs\/assets\/([^"]+)"/).map { String($0.1) })
        #expect(!names.isEmpty)
        var seen: Set<String> = []
        while let name = names.subtracting(seen).first {
            seen.insert(name)
            let file = try await send(.get, "/docs/assets/\(name)")
            #expect(file.status == .ok, "\(name)")
            let type = name.hasSuffix(".css") ? "text/css" : "text/javascript"
            #expect(file.headers[.contentType] == "\(type); charset=utf-8")
            let text = file.text
            names.formUnion(text.matches(of: /from "\.\/([^"]+)"/).map { String($0.1) })
            // The page shows what comes from the description or an answer as text, never as HTML.
            #expect(text.firstMatch(of: /innerHTML|outerHTML|AdjacentHTML|HTMLUnsafe|document\.write|eval\(/) == nil)
        }
    }

    @Test("A page tells the browser what it may load, and that no frame may hold it")
    func contentSecurityPolicy() async throws {
        func directives(_ path: String) async throws -> [String: String] {
            let response = try await send(.get, path, headers: [.accept: "text/html"])
            let page = response.text
            #expect(page.firstMatch(of: /<script>|<style| style=| on[a-z]+=/) == nil)
            let policy = try #require(response.headers[.contentSecurityPolicy])
            return policy.split(separator: "; ").reduce(into: [:]) {
                let words = $1.split(separator: " ", maxSplits: 1)
                $0[String(words[0])] = String(words[1])
            }
        }
        let everywhere = [
            "default-src": "'self'", "img-src": "'self' data:", "base-uri": "'none'", "frame-ancestors": "'none'",
        ]
        #expect(try await directives("/") == everywhere)
        #expect(try await directives("/problems/deadline") == everywhere)
        for path in ["/docs", "/redoc"] {
            let policy = try await directives(path)
            #expect(policy.merging(everywhere) { $1 } == policy)
            // The page loads only the pinned files from the CDN.
            let scripts = try #require(policy["script-src"])
            #expect(scripts.wholeMatch(of: /'self' https:[^ ]+@\d+\.\d+\.\d+\/[^ ]+\.js/) != nil)
        }
    }
}
