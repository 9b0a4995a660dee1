import Foundation
import TestSupport
import Testing

extension System {
    @Suite("Who may do what")
    struct KeyTests {
        @Test("With AUTH on calls need a key whose scopes allow them; probes and pages do not")
        func scopes() async throws {
            try await open { crm, admin in
                for path in ["/health", "/livez", "/readyz", "/docs", "/redoc", "/openapi.json", "/problems/forbidden"]
                {
                    #expect(try await crm.client.get(path).status == 200, "\(path)")
                }
                let none = try await crm.client.get("/api/v1/operators")
                #expect(none.status == 401 && none.json["code"] == "unauthorized")
                #expect(none[header: "WWW-Authenticate"] == "Bearer realm=\"leads-crm\"")
                #expect(try await crm.client.get("/metrics").status == 401)
                let source = try #require(
                    try await crm.send("POST", "/api/v1/sources", ["name": "s"], key: admin).json["id"].int)

                // Method, path, body, and the scopes that allow it.
                let calls: [(String, String, JSON?, Set<String>)] = [
                    ("POST", "/api/v1/contacts", ["source_id": JSON(source)], ["register"]),
                    ("GET", "/api/v1/contacts", nil, ["read", "operate"]),
                    ("GET", "/api/v1/contacts/1/explanation", nil, ["read", "operate"]),
                    ("GET", "/api/v1/leads/1", nil, ["read", "operate"]),
                    ("POST", "/api/v1/sources/\(source)/distribution/preview", ["count": 1], ["read", "operate"]),
                    ("PATCH", "/api/v1/contacts/1", ["message": "m"], ["operate"]),
                    ("POST", "/api/v1/contacts/1/requeue", nil, ["operate"]),
                    ("POST", "/api/v1/operators", ["name": "o"], []),
                    ("GET", "/api/v1/keys", nil, []),
                    ("POST", "/api/v1/keys", ["name": "x", "scopes": ["admin"]], []),
                    ("GET", "/metrics", nil, ["metrics"]),
                ]
                for scope in ["register", "read", "operate", "metrics", "admin"] {
                    let key = try await crm.newKey([scope], admin)
                    for (method, path, body, scopes) in calls {
                        let answer = try await crm.send(method, path, body, key: key)
                        let isAllowed = scope == "admin" || scopes.contains(scope)
                        #expect((answer.status < 300) == isAllowed, "\(scope) \(method) \(path): \(answer)")
                        if !isAllowed { #expect(answer.status == 403 && answer.json["code"] == "forbidden") }
                    }
                }
                // Nothing is read of what is refused.
                let large = try await crm.client.send(
                    "POST", "/api/v1/contacts", headers: ["Content-Type": "application/json"], body: [0x7B])
                #expect(large.status == 401)
            }
        }

        @Test(
            "A bad key is refused: misspelt, revoked on all instances within 5 seconds, out of time, of another scheme")
        func badKeys() async throws {
            try await open(instances: 2) { crm, admin in
                let key = try await crm.newKey(["read"], admin)
                let id = String(key.dropFirst(5).prefix(8))
                for client in [crm.client(0), crm.client(1)] {
                    try await eventually("the key is known") {
                        try await client.send("GET", "/api/v1/operators", headers: bearer(key)).status == 200
                    }
                }
                let bad = [
                    String(key.dropLast()) + (key.last == "a" ? "b" : "a"), "", "x", key + "0",
                    "lcrm_00000000_00000000000000000000000000000000000000",
                ]
                for text in bad {
                    let answer = try await crm.client.send("GET", "/api/v1/operators", headers: bearer(text))
                    #expect(answer.status == 401, "\(text)")
                }
                for value in [key, "Basic \(key)", "Bearer  ", "Bearer \(key) \(key)"] {
                    let answer = try await crm.client.send(
                        "GET", "/api/v1/operators", headers: ["Authorization": value])
                    #expect(answer.status == 401, "\(value)")
                }
                let lower = try await crm.client.send(
                    "GET", "/api/v1/operators", headers: ["Authorization": "bearer \(key)"])
                #expect(lower.status == 200)
                let expired = try await crm.send(
                    "POST", "/api/v1/keys",
                    ["name": "old", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"], key: admin)
                let old = try #require(expired.json["key"].string)
                #expect(try await crm.send("GET", "/api/v1/operators", key: old).status == 401)
                #expect(try await crm.send("DELETE", "/api/v1/keys/\(id)", key: admin).status == 204)
                #expect(try await crm.send("DELETE", "/api/v1/keys/\(id)", key: admin).json["code"] == "key_not_found")
                let start = ContinuousClock.now
                try await eventually("both refuse it") {
                    let both = try await inParallel(2) { number in
                        try await crm.client(number).send("GET", "/api/v1/operators", headers: bearer(key)).status
                    }
                    return both == [401, 401]
                }
                #expect(.now - start < .seconds(5))
                // Only a hash is stored.
                let stored = try await crm.psql.query("SELECT api_keys::text FROM api_keys")
                #expect(!stored.joined().contains { $0.contains(key.dropFirst(14)) })
                let listed = try await crm.send("GET", "/api/v1/keys", key: admin)
                #expect(!String(decoding: listed.body, as: UTF8.self).contains(admin.dropFirst(14)))
            }
        }

        @Test("Who only registers sees nothing that was stored, and registers where the key says")
        func receipts() async throws {
            try await open { crm, admin in
                func post(_ path: String, _ body: JSON, key: String) async throws -> JSON {
                    let answer = try await crm.send("POST", path, body, key: key)
                    #expect(answer.status < 300, "\(answer)")
                    return answer.json
                }
                let first = try await post("/api/v1/sources", ["name": "s1"], key: admin)["id"].int!
                let second = try await post("/api/v1/sources", ["name": "s2"], key: admin)["id"].int!
                _ = try await post(
                    "/api/v1/contacts",
                    ["source_id": JSON(first), "lead_phone": "1", "lead_email": "secret@example.org"], key: admin)
                let created = try await crm.send(
                    "POST", "/api/v1/keys",
                    ["name": "form", "scopes": ["register"], "source_ids": [JSON(first)]], key: admin)
                let form = try #require(created.json["key"].string)
                let nowhere = try await crm.send(
                    "POST", "/api/v1/keys", ["name": "x", "scopes": ["register"], "source_ids": [99]], key: admin)
                #expect(nowhere.json["code"] == "source_not_found")
                let contact: JSON = ["source_id": JSON(first), "lead_phone": "1"]
                let answer = try await crm.send("POST", "/api/v1/contacts", contact, key: form)
                #expect(answer.json.keys == ["id", "source_id", "status", "created_at", "priority"], "\(answer)")
                let other = try await crm.send(
                    "POST", "/api/v1/contacts", ["source_id": JSON(second)], key: form)
                #expect(other.status == 403 && other.json["code"] == "forbidden")
                let entries: JSON = ["contacts": [contact, ["source_id": JSON(second)]]]
                for _ in 0..<2 {
                    let batch = try await crm.client.send(
                        "POST", "/api/v1/contacts/batch",
                        headers: bearer(form).merging([
                            "Content-Type": "application/json", "Idempotency-Key": "k",
                        ]) { $1 }, body: Array(try entries.data))
                    #expect(batch.json["registered"] == 1 && batch.json["failed"] == 1, "\(batch)")
                    #expect(batch.json["results"][0]["contact"].keys.count == 5)
                    #expect(batch.json["results"][1]["error"]["code"] == "forbidden")
                }
                // The key of another caller's request is not this one's.
                let stolen = try await crm.client.send(
                    "POST", "/api/v1/contacts/batch",
                    headers: bearer(admin).merging([
                        "Content-Type": "application/json", "Idempotency-Key": "k",
                    ]) { $1 }, body: Array(try entries.data))
                #expect(stolen.json["code"] == "idempotency_key_reused", "\(stolen)")
            }
        }

        @Test("A key's rate_limit is kept, and told; bad keys are limited by address and stop no good one")
        func limits() async throws {
            try await open { crm, admin in
                let created = try await crm.send(
                    "POST", "/api/v1/keys", ["name": "slow", "scopes": ["read"], "rate_limit": 3], key: admin)
                let key = try #require(created.json["key"].string)
                let answers = try await inParallel(40) { _ in
                    try await crm.client.send("GET", "/api/v1/operators", headers: bearer(key))
                }
                let refused = answers.filter { $0.status == 429 }
                #expect(refused.count >= 30 && refused.allSatisfy { $0.json["code"] == "rate_limited" })
                #expect(refused.allSatisfy { $0[header: "Retry-After"] == "1" })
                let served = try #require(answers.first { $0.status == 200 })
                #expect(served[header: "RateLimit-Policy"] == "\"key\";q=3;w=1")
                #expect(served[header: "RateLimit"]?.hasPrefix("\"key\";r=") ?? false)
                #expect(try await crm.send("GET", "/api/v1/operators", key: admin)[header: "RateLimit"] == nil)
                let bad = try await inParallel(200) { _ in
                    try await crm.client.send("GET", "/api/v1/operators", headers: bearer("x")).status
                }
                #expect(bad.contains(401) && bad.contains(429))
                #expect(try await crm.send("GET", "/api/v1/operators", key: admin).status == 200)
            }
        }

        @Test("While the database is away the keys that are known are good")
        func outage() async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                let admin = try await newKey(database, "--name", "a", "--scope", "admin")
                try await withInstances(1, on: database.serviceURL, environment: ["AUTH": "on"]) { instances in
                    let client = instances[0].client
                    #expect(try await client.send("GET", "/api/v1/operators", headers: bearer(admin)).status == 200)
                    try await psql.query("REVOKE SELECT ON api_keys_revision FROM leads_crm_service")
                    try await eventually("the keys could not be read twice") {
                        instances[0].command.standardError.ranges(of: "keys not read").count >= 2
                    }
                    #expect(try await client.send("GET", "/api/v1/operators", headers: bearer(admin)).status == 200)
                    #expect(try await client.send("GET", "/api/v1/operators").status == 401)
                    try await psql.query("GRANT SELECT ON api_keys_revision TO leads_crm_service")
                }
            }
        }

        @Test("Without a key serve does not start where keys are needed, and says the command that makes one")
        func start() async throws {
            try await TestDatabase.with { database in
                let arguments = ["serve", "--port", "0", "--database-url", database.url]
                let other = try await Command.run(arguments + ["--host", "0.0.0.0"])
                #expect(other.status == 1)
                #expect(other.standardError.contains("leads-crm keys create --name admin --scope admin"), "\(other)")
                let on = try await Command.run(arguments, environment: ["AUTH": "on"])
                #expect(on.status == 1)
                let key = try await newKey(database, "--name", "a", "--scope", "admin")
                for environment in [
                    ["HOST": "0.0.0.0"], ["HOST": "0.0.0.0", "AUTH": "off"], ["AUTH": "on"], ["AUTH": "warn"], [:],
                ] {
                    try await withInstances(1, on: database.url, environment: environment) { instances in
                        let isAsked = environment["AUTH"] == "on" || environment == ["HOST": "0.0.0.0"]
                        let client = instances[0].client
                        #expect(try await client.get("/api/v1/operators").status == (isAsked ? 401 : 200))
                        #expect(
                            try await client.send("GET", "/api/v1/operators", headers: bearer(key)).status == 200)
                        guard environment["AUTH"] == "warn" else { return }
                        let metrics = String(decoding: try await client.get("/metrics").body, as: UTF8.self)
                        #expect(metrics.contains("leads_crm_requests_without_key_total 2"))
                    }
                }
            }
        }

        @Test("keys create, list, revoke and new; ADMIN_KEY is added once")
        func commands() async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                let line = try await Command.run(["keys", "new"]).standardOutput
                let admin = try #require(line.firstMatch(of: /^ADMIN_KEY=(lcrm_\w+)\n$/)?.1)
                for _ in 0..<2 {
                    let migrated = try await Command.run(
                        ["migrate", "--database-url", database.url], environment: ["ADMIN_KEY": String(admin)])
                    #expect(migrated.status == 0, "\(migrated)")
                }
                #expect(try await psql.number("SELECT count(*) FROM api_keys WHERE scopes = '{admin}'") == 1)
                let other = try await Command.run(["keys", "new"]).standardOutput.dropFirst(10).dropLast()
                let statuses = try await inParallel(4) { _ in
                    try await Command.run(
                        ["migrate", "--database-url", database.url], environment: ["ADMIN_KEY": String(other)]
                    ).status
                }
                #expect(statuses == [0, 0, 0, 0])
                let far = try await Command.run(
                    [
                        "keys", "create", "--name", "x", "--scope", "read", "--days", "200000000", "--database-url",
                        database.url,
                    ])
                #expect(far.status == 64)
                for (scopes, sources) in [
                    ("{}", "NULL"), ("{all}", "NULL"), ("{{read},{admin}}", "NULL"), ("{read,NULL}", "NULL"),
                    ("{read}", "'{NULL}'"), ("{read}", "'{{1},{2}}'"),
                ] {
                    let refusal = await #expect(throws: Psql.Failure.self) {
                        try await psql.query(
                            """
                            INSERT INTO api_keys (id, hash, name, scopes, source_ids)
                            VALUES ('ODD00001', sha256('x'), 'odd', '\(scopes)', \(sources))
                            """)
                    }
                    #expect(refusal?.sqlState == "23514", "\(scopes) \(sources)")
                }
                let wrong = try await Command.run(
                    ["migrate", "--database-url", database.url], environment: ["ADMIN_KEY": "lcrm_x"])
                #expect(wrong.status == 64)
                try await psql.query("INSERT INTO sources (id, name) VALUES (7, 's')")
                let nowhere = try await Command.run(
                    [
                        "keys", "create", "--name", "x", "--scope", "register", "--source", "8", "--database-url",
                        database.url,
                    ])
                #expect(nowhere.status == 64 && nowhere.standardError.contains("no source 8"), "\(nowhere)")
                let key = try await newKey(
                    database, "--name", "Form", "--scope", "register", "--scope", "metrics", "--source", "7", "--days",
                    "3", "--rate-limit", "9")
                let id = String(key.dropFirst(5).prefix(8))
                let list = try await Command.run(["keys", "list", "--database-url", database.url]).standardOutput
                #expect(list.contains(id) && list.contains("Form") && list.contains("register metrics"), "\(list)")
                #expect(!list.contains(key.dropFirst(14)))
                let revoked = try await Command.run(["keys", "revoke", id, "--database-url", database.url])
                #expect(revoked.status == 0 && revoked.standardOutput == "revoked: Form\n")
                #expect(try await Command.run(["keys", "revoke", id, "--database-url", database.url]).status == 64)
                #expect(
                    try await Command.run(
                        ["keys", "create", "--name", "x", "--scope", "all", "--database-url", database.url]
                    ).status == 64)
            }
        }

        /// Runs the body with instances that ask for keys, and one that allows all.
        private func open(
            instances: Int = 1, _ body: (Deployment, String) async throws -> Void
        ) async throws {
            try await TestDatabase.with { database in
                let admin = try await newKey(database, "--name", "admin", "--scope", "admin")
                try await withInstances(instances, on: database.serviceURL, environment: ["AUTH": "on"]) {
                    instances in
                    try await body(
                        Deployment(database: database, psql: Psql(database.url), instances: instances), admin)
                }
            }
        }

        private func newKey(_ database: TestDatabase, _ arguments: String...) async throws -> String {
            let made = try await Command.run(["keys", "create", "--database-url", database.url] + arguments)
            try #require(made.status == 0, "\(made)")
            return String(made.standardOutput.dropLast())
        }
    }
}

private func bearer(_ key: String) -> [String: String] { ["Authorization": "Bearer \(key)"] }

extension Deployment {
    fileprivate func send(
        _ method: String, _ path: String, _ body: JSON? = nil, key: String
    ) async throws -> Client.Response {
        var headers = bearer(key)
        if body != nil { headers["Content-Type"] = "application/json" }
        return try await client.send(method, path, headers: headers, body: try body.map { Array(try $0.data) } ?? [])
    }

    fileprivate func newKey(_ scopes: [String], _ admin: String) async throws -> String {
        let answer = try await send(
            "POST", "/api/v1/keys", ["name": "k", "scopes": .array(scopes.map { .string($0) })], key: admin)
        try #require(answer.status == 201, "\(answer)")
        return try #require(answer.json["key"].string)
    }
}
