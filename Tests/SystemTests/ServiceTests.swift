import TestSupport
import Testing

extension System {
    @Suite("Around the API")
    struct Service {
        @Test("Health, the root, the description and the documentation are served")
        func pages() async throws {
            try await Deployment.open { crm in
                let health = try await crm.client.get("/health")
                #expect(health.status == 200)
                #expect(health.json == ["status": "ok"])

                let root = try await crm.client.send("GET", "/", headers: ["accept": "application/json"])
                #expect(root.status == 200)
                #expect(root.json.keys == ["message", "version", "docs"])
                #expect(root.json["docs"] == "/docs")
                let page = try await crm.client.send("GET", "/", headers: ["accept": "text/html,*/*;q=0.8"])
                #expect(page.status == 200)
                #expect(page[header: "content-type"]?.hasPrefix("text/html") == true)
                #expect(page.text.contains("<html"))

                let docs = try await crm.client.get("/docs")
                #expect(docs.status == 200)
                #expect(docs[header: "content-type"]?.hasPrefix("text/html") == true)
                let description = try await crm.client.get("/openapi.json")
                #expect(description.status == 200)
                #expect(description[header: "content-type"] == "application/json")
                #expect(description.json["openapi"].string?.hasPrefix("3.") == true)
                #expect(description.json["paths"].keys.isSuperset(of: Self.paths.map(\.path)))
            }
        }

        private static let paths: [(path: String, methods: Set<String>)] = [
            ("/api/v1/operators", ["GET", "POST"]),
            ("/api/v1/operators/{operator_id}", ["GET", "PATCH", "DELETE"]),
            ("/api/v1/sources", ["GET", "POST"]),
            ("/api/v1/sources/{source_id}", ["GET", "PATCH", "DELETE"]),
            ("/api/v1/sources/{source_id}/distribution", ["GET", "POST", "PUT"]),
            ("/api/v1/sources/{source_id}/distribution/{operator_id}", ["DELETE"]),
            ("/api/v1/sources/{source_id}/queue", ["GET"]), ("/api/v1/queue", ["GET"]),
            ("/api/v1/stats/shares", ["GET"]), ("/api/v1/stats/timeline", ["GET"]),
            ("/api/v1/contacts", ["GET", "POST"]),
            ("/api/v1/contacts/{contact_id}", ["GET", "PATCH"]),
            ("/api/v1/contacts/stats/distribution", ["GET"]),
            ("/api/v1/leads", ["GET"]),
            ("/api/v1/leads/{lead_id}", ["GET"]),
            ("/health", ["GET"]), ("/", ["GET"]),
        ]

        @Test("A method that a path does not have is refused, and Allow says which it has")
        func methods() async throws {
            try await Deployment.open { crm in
                for (path, methods) in Self.paths {
                    let path = path.replacing(/\{.*?\}/, with: "1")
                    for method in Set(["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]).subtracting(
                        methods)
                    {
                        let answer = try await crm.client.send(method, path)
                        #expect(answer.status == 405, "\(method) \(path)")
                        #expect(
                            answer.json == ["detail": "Method Not Allowed", "code": "method_not_allowed"],
                            "\(method) \(path)")
                        let allowed = answer[header: "allow"]?.split(separator: ", ").map(String.init) ?? []
                        #expect(Set(allowed).subtracting(["HEAD"]) == methods, "\(method) \(path)")
                    }
                }
            }
        }

        @Test("An unknown path is not found, whatever the method")
        func unknownPaths() async throws {
            try await Deployment.open { crm in
                for path in ["/api", "/api/v1", "/api/v2/operators", "/api/v1/operators/1/2", "/operators", "/x%20y"] {
                    for method in ["GET", "POST", "DELETE", "PROPFIND"] {
                        let answer = try await crm.client.send(method, path)
                        #expect(answer.status == 404, "\(method) \(path)")
                        #expect(answer.json == ["detail": "Not Found", "code": "not_found"], "\(method) \(path)")
                    }
                }
            }
        }

        @Test("On loopback an instance goes by loopback's names, or by those that ALLOWED_HOSTS has in their place")
        func hosts() async throws {
            try await Deployment.open { crm in
                for host in ["localhost", "127.0.0.1:8000"] {
                    try await expect(200, from: "/api/v1/leads", of: crm, as: host)
                }
                try await expect(421, from: "/api/v1/leads", of: crm, as: "evil.example")
                try await expect(200, from: "/readyz", of: crm, as: "evil.example")
            }
            try await Deployment.open(environment: ["HOST": "127.1"]) { crm in
                try await expect(200, from: "/api/v1/leads", of: crm, as: "127.0.0.1")
                try await expect(421, from: "/api/v1/leads", of: crm, as: "evil.example")
            }
            try await Deployment.open(environment: ["ALLOWED_HOSTS": "crm.example, 127.0.0.1"]) { crm in
                try await expect(200, from: "/api/v1/leads", of: crm, as: "crm.example:8000")
                try await expect(421, from: "/api/v1/leads", of: crm, as: "localhost")
            }
            try await Deployment.open(environment: ["HOST": "0.0.0.0", "AUTH": "off"]) { crm in
                try await expect(200, from: "/api/v1/leads", of: crm, as: "crm.example")
            }
            let refused = try await Command.run(
                ["serve", "--database-url", "x"], environment: ["ALLOWED_HOSTS": "a,,b"])
            #expect(refused.status == 64)
            #expect(refused.standardError.contains("ALLOWED_HOSTS must be host names separated by commas, or *."))
        }

        private func expect(_ status: Int, from path: String, of crm: Deployment, as host: String) async throws {
            let answer = try await crm.client.send("GET", path, headers: ["host": host])
            #expect(answer.status == status, "\(host)")
        }

        @Test("A browser's page of another site changes nothing")
        func crossSite() async throws {
            try await Deployment.open { crm in
                let body = Array(#"{"name": "x"}"#.utf8)
                let json = ["content-type": "application/json"]
                for (headers, status) in [
                    ([:], 415), (["content-type": "text/plain"], 415),
                    (json.merging(["sec-fetch-site": "cross-site"]) { $1 }, 403),
                    (json.merging(["origin": "http://evil.example"]) { $1 }, 403),
                    (json.merging(["origin": crm.client.baseURL]) { $1 }, 201),
                ] as [([String: String], Int)] {
                    let answer = try await crm.client.send("POST", "/api/v1/sources", headers: headers, body: body)
                    #expect(answer.status == status, "\(headers)")
                    #expect(answer[header: "x-content-type-options"] == "nosniff", "\(headers)")
                    #expect(answer[header: "cache-control"] == "no-store", "\(headers)")
                }
                #expect(try await crm.client.get("/api/v1/sources").json.elements.count == 1)
            }
        }

        @Test("HEAD answers like GET, without the body")
        func head() async throws {
            try await Deployment.open { crm in
                let id = try await crm.newOperator()
                for path in ["/", "/health", "/api/v1/operators", "/api/v1/operators/\(id)", "/api/v1/operators/77"] {
                    let get = try await crm.client.get(path)
                    let head = try await crm.client.send("HEAD", path)
                    #expect(head.status == get.status, "\(path)")
                    #expect(head[header: "content-type"] == get[header: "content-type"])
                    #expect(head[header: "content-length"] == get[header: "content-length"])
                    #expect(head.body.isEmpty, "\(path)")
                }
            }
        }

        @Test("Who accepts problem details gets errors as RFC 9457 has them")
        func problemDetails() async throws {
            try await Deployment.open { crm in
                let headers = [
                    "accept": "application/problem+json, application/json", "content-type": "application/json",
                ]
                let notFound = try await crm.client.send("GET", "/api/v1/operators/7", headers: headers)
                #expect(notFound.status == 404)
                #expect(notFound[header: "content-type"] == "application/problem+json")
                #expect(notFound.json.keys == ["type", "title", "status", "detail", "code"])
                #expect(notFound.json["type"] == "/problems/operator_not_found")
                #expect(notFound.json["title"].string != nil)
                #expect(notFound.json["status"] == 404)
                #expect(notFound.json["detail"] == "Operator 7 not found")

                let invalid = try await crm.client.send(
                    "POST", "/api/v1/operators", headers: headers, body: Array(#"{"max_load": 0}"#.utf8))
                #expect(invalid.status == 422)
                #expect(invalid[header: "content-type"] == "application/problem+json")
                #expect(invalid.json.keys == ["type", "title", "status", "detail", "code", "errors"])
                #expect(invalid.json["detail"].string != nil)
                #expect(invalid.json["errors"].elements.map { $0["type"] } == ["missing", "greater_than_equal"])

                let created = try await crm.client.send(
                    "POST", "/api/v1/operators", headers: headers, body: Array(#"{"name": "x"}"#.utf8))
                #expect(created.status == 201)
                #expect(created[header: "content-type"] == "application/json")
            }
        }
    }
}
