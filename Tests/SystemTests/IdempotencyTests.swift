import Foundation
import TestSupport
import Testing

extension System {
    @Suite("A repeated request counts once")
    struct Idempotency {
        private static let registration: JSON = [
            "source_id": 1, "lead_phone": "+79001234567", "message": "\u{1}\"Привет\"",
        ]

        @Test(
            "Of many at once through all instances, with one key, one is carried out, and all get its answer",
            arguments: ["on", "off"])
        func atOnce(gate: String) async throws {
            try await Deployment.open(instances: 3, environment: ["ASSIGNMENT_GATE": gate]) { crm in
                _ = try await crm.newSource([try await crm.newOperator()])
                let calls: [(path: String, body: JSON)] = [
                    ("/api/v1/contacts", Self.registration), ("/api/v1/operators", ["name": "Operator"]),
                    ("/api/v1/sources", ["name": "Source"]),
                    ("/api/v1/sources/1/distribution", ["operator_weights": [["operator_id": 1, "weight": 7]]]),
                ]
                for (path, body) in calls {
                    let answers = try await inParallel(60) { number in
                        try await crm.client(number).post(path, body, key: "key of \(path)".replacing(" ", with: "-"))
                    }
                    #expect(answers.allSatisfy { $0.status == 201 }, "\(path): \(Set(answers.map(\.description)))")
                    #expect(Set(answers.map(\.body)).count == 1, "\(path)")
                    #expect(answers.count { $0[header: "Idempotency-Replayed"] == nil } == 1, "\(path)")
                }
                let counts = try await crm.psql.numbers(
                    """
                    SELECT count(*) FROM contacts UNION ALL SELECT count(*) - 1 FROM operators
                    UNION ALL SELECT count(*) - 1 FROM sources UNION ALL SELECT sum(current_load) FROM operators
                    """)
                #expect(counts == [1, 1, 1, 1])
            }
        }

        @Test("What differs from the first request but for its key is refused, and changes nothing")
        func reused() async throws {
            try await Deployment.open { crm in
                _ = try await crm.newSource([try await crm.newOperator()])
                let first = try await crm.client.post("/api/v1/contacts", Self.registration, key: "k")
                #expect(first.status == 201)
                let quoted = try await crm.client.post("/api/v1/contacts", Self.registration, key: "\"k\"")
                #expect(quoted.body == first.body && quoted[header: "Idempotency-Replayed"] == "true")
                for (path, body) in [
                    ("/api/v1/contacts", ["source_id": 1, "lead_phone": "+79001234568"]),
                    ("/api/v1/operators", ["name": "k"]), ("/api/v1/sources", ["name": "k"]),
                    ("/api/v1/sources/1/distribution", ["operator_weights": []]),
                    ("/api/v1/contacts/batch", ["contacts": [Self.registration]]),
                ] as [(String, JSON)] {
                    let answer = try await crm.client.post(path, body, key: "k")
                    #expect(
                        answer.status == 422 && answer.json["code"] == "idempotency_key_reused", "\(path): \(answer)")
                    #expect(answer[header: "Idempotency-Replayed"] == nil)
                }
                let counts = try await crm.psql.numbers(
                    "SELECT count(*) FROM contacts UNION ALL SELECT count(*) FROM operators UNION ALL SELECT count(*) FROM sources"
                )
                #expect(counts == [1, 1, 1])
            }
        }

        @Test("A refused request leaves its key free")
        func refused() async throws {
            try await Deployment.open { crm in
                let first = try await crm.client.post("/api/v1/contacts", Self.registration, key: "k")
                #expect(first.status == 404)
                let invalid = try await crm.client.post("/api/v1/contacts", ["source_id": "x"], key: "k")
                #expect(invalid.status == 422 && invalid.json["code"] == "invalid_request")
                _ = try await crm.newSource()
                let taken = try await crm.client.post("/api/v1/sources", ["name": "s"])
                let refused = try await crm.client.post("/api/v1/sources", ["name": "s"], key: "k")
                #expect(taken.status == 201 && refused.json["code"] == "source_name_taken", "\(refused)")
                let second = try await crm.client.post("/api/v1/contacts", Self.registration, key: "k")
                #expect(second.status == 201 && second[header: "Idempotency-Replayed"] == nil, "\(second)")
            }
        }

        @Test("A key that is none is refused")
        func invalid() async throws {
            try await Deployment.open { crm in
                for key in ["", String(repeating: "k", count: 256), "a b", "ключ", "\"k", "\"a\\b\"", "\"\""] {
                    for path in ["/api/v1/operators", "/api/v1/contacts", "/api/v1/contacts/batch"] {
                        let answer = try await crm.client.post(path, ["name": "n"], key: key)
                        #expect(
                            answer.status == 400 && answer.json["code"] == "idempotency_key_invalid",
                            "\(key): \(answer)")
                    }
                }
                let longest = String(repeating: "k", count: 255)
                for key in [longest, "\"\\\"\\\\\"", "a,b;c"] {
                    #expect(
                        try await crm.client.post("/api/v1/operators", ["name": "n"], key: key).status == 201, "\(key)")
                }
                #expect(try await crm.psql.number("SELECT count(*) FROM operators") == 3)
            }
        }

        @Test(
            "After kill -9 before or after the COMMIT the repetition settles it", arguments: ["before", "after"],
            ["/api/v1/contacts", "/api/v1/sources"])
        func killed(moment: String, path: String) async throws {
            try await Deployment.open(instances: 2) { crm in
                _ = try await crm.newSource([try await crm.newOperator()])
                let body = path == "/api/v1/contacts" ? Self.registration : ["name": "Source"]
                let table = path == "/api/v1/contacts" ? "contacts" : "sources WHERE name = 'Source'"
                if moment == "before" {
                    try await crm.psql.query("BEGIN")
                    try await crm.psql.query("LOCK TABLE assignment_gate, idempotency_keys IN EXCLUSIVE MODE")
                }
                async let first = try? crm.instances[0].client.post(path, body, key: "k")
                if moment == "before" {
                    try await eventually("it waits at the gate, or to claim its key") {
                        try await crm.psql.query("SELECT pg_stat_clear_snapshot()")
                        return try await crm.psql.number(
                            """
                            SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                                AND (query LIKE 'LOCK TABLE%' OR query LIKE 'INSERT INTO idempotency_keys%')
                            """) == 1
                    }
                } else {
                    try await eventually("it is committed") {
                        try await crm.psql.number("SELECT count(*) FROM \(table)") == 1
                    }
                }
                try await crm.instances[0].kill()
                if moment == "before" { try await crm.psql.query("ROLLBACK") }
                _ = await first
                let second = try await crm.instances[1].client.post(path, body, key: "k")
                #expect(second.status == 201, "\(second)")
                #expect((second[header: "Idempotency-Replayed"] != nil) == (moment == "after"))
                #expect(try await crm.psql.number("SELECT count(*) FROM \(table)") == 1)
            }
        }

        @Test("A key that somebody keeps locked stops only requests with that key")
        func locked() async throws {
            try await Deployment.open(environment: ["REQUEST_TIMEOUT": "3"]) { crm in
                let source = try await crm.newSource([try await crm.newOperator(maxLoad: 100)])
                try await crm.psql.query("BEGIN")
                try await crm.psql.query(
                    "INSERT INTO idempotency_keys (key, entry, fingerprint) VALUES ('locked', 0, '')")
                let answers = try await inParallel(30) { number in
                    let key = number < 3 ? "locked" : number < 6 ? "k\(number)" : nil
                    let body: JSON = ["source_id": JSON(source), "lead_phone": .string("+7\(number)")]
                    return if let key { try await crm.client.post("/api/v1/contacts", body, key: key) } else {
                        try await crm.client.post("/api/v1/contacts", body)
                    }
                }
                #expect(answers.map(\.status) == Array(repeating: 503, count: 3) + Array(repeating: 201, count: 27))
                try await crm.psql.query("ROLLBACK")
                let repeated = try await crm.client.post("/api/v1/contacts", ["source_id": JSON(source)], key: "locked")
                #expect(repeated.status == 201)
            }
        }

        @Test("Answers are kept for IDEMPOTENCY_TTL")
        func time() async throws {
            try await Deployment.open(environment: ["IDEMPOTENCY_TTL": "1"]) { crm in
                try await crm.psql.query(
                    """
                    INSERT INTO idempotency_keys (key, entry, fingerprint, status, body, created_at)
                    SELECT n, 0, '', 201, '', now() - interval '1 hour' FROM generate_series(1, 2500) AS n
                    """)
                try await eventually("old answers are gone") {
                    try await crm.psql.number("SELECT count(*) FROM idempotency_keys") == 0
                }
            }
        }
    }
}

extension Client {
    func post(_ path: String, _ json: JSON, key: String) async throws -> Response {
        try await send(
            "POST", path, headers: ["Content-Type": "application/json", "Idempotency-Key": key],
            body: Array(try json.data))
    }
}
