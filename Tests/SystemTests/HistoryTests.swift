import Foundation
import TestSupport
import Testing

extension System {
    @Suite("Why this operator?")
    struct History {
        @Test("A contact's history tells what it became, why, and who did it")
        func ways() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "0.2"]) { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let boris = try await crm.newOperator(maxLoad: 1, isActive: false)
                let source = try await crm.newSource([anna, boris])
                let first = try await crm.register(1, at: source)[0]
                let second = try await crm.register(1, at: source)[0]

                func patch(_ path: String, _ body: JSON) async throws {
                    let answer = try await crm.client.patch("/api/v1/\(path)", body)
                    #expect(answer.status == 200, "\(answer)")
                }
                func post(_ path: String, _ body: JSON = [:]) async throws {
                    let answer = try await crm.client.post("/api/v1/\(path)", body)
                    #expect(answer.status == 200, "\(answer)")
                }
                try await patch("contacts/\(first)", ["status": "closed"])
                try await patch("contacts/\(first)", ["status": "active"])
                try await patch("operators/\(boris)", ["is_active": true])
                try await patch("operators/\(anna)", ["max_load": 2])
                try await patch("contacts/\(first)", ["operator_id": JSON(anna)])
                try await post("contacts/\(first)/requeue")
                try await patch("operators/\(boris)", ["is_active": false])
                try await post("operators/\(boris)/release")
                try await crm.psql.query("UPDATE operators SET is_active = true, max_load = 9 WHERE id = \(boris)")
                try await crm.psql.query(
                    "UPDATE contacts SET operator_id = NULL WHERE id = \(second) AND operator_id IS NOT NULL")
                try await eventually("the sweep lets it in") {
                    try await crm.psql.number("SELECT count(*) FROM contacts WHERE operator_id IS NULL") == 0
                }
                try await patch("contacts/\(first)", ["message": "no move"])
                try await patch("contacts/\(first)", ["status": "closed"])

                let role = try await crm.psql.query("SELECT session_user")[0][0]
                let moves = try await history(of: first, crm)
                #expect(
                    moves.map { "\($0["event"].string ?? "") \($0["cause"].string ?? "")" } == [
                        "contact.registered registered", "contact.closed close", "contact.reopened reopen",
                        "contact.assigned operator_activated", "contact.transferred transfer",
                        "contact.transferred requeue", "contact.transferred release", "contact.closed close",
                    ], "\(moves)")
                #expect(moves.map { $0["operator_id"].int } == [anna, anna, nil, boris, anna, boris, anna, anna])
                #expect(
                    moves.map { $0["previous_operator_id"].int } == [nil, anna, anna, nil, boris, anna, boris, anna])
                #expect(moves.allSatisfy { $0.keys == Shape.event && Shape.isTime($0["at"]) && $0["actor"] == .null })
                let others = try await history(of: second, crm)
                #expect(
                    others.map { $0["cause"].string } == ["registered", "place_freed", "sql", "sweep"], "\(others)")
                #expect(
                    others.map { $0["event"].string } == [
                        "contact.registered", "contact.assigned", "contact.released", "contact.assigned",
                    ])
                #expect(others.map { $0["actor"].string } == [nil, nil, "sql:\(role)", nil])
                #expect(try await crm.client.get("/api/v1/contacts/999/history").json["code"] == "contact_not_found")
                let page = try await crm.client.get("/api/v1/contacts/\(first)/history?limit=3")
                #expect(page.json.elements.count == 3)
                #expect(page[header: "Link"]?.contains("/history?limit=3&after=") ?? false)
            }
        }

        @Test("Who waited and was let in: the history says what made room, also in parts and where limits are raised")
        func admissions() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "3600"]) { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let source = try await crm.newSource([anna])
                try await crm.psql.query("INSERT INTO leads DEFAULT VALUES")
                try await crm.psql.query(
                    "INSERT INTO contacts (lead_id, source_id) SELECT 1, \(source) FROM generate_series(1, 5000)")
                let raised = try await crm.client.patch("/api/v1/operators/\(anna)", ["max_load": 4000])
                #expect(raised.status == 200, "\(raised)")
                try await eventually("all who have room are let in") {
                    try await crm.psql.number("SELECT current_load FROM operators") == 4000
                }
                let boris = try await crm.newOperator(maxLoad: 300)
                try await crm.setWeights(of: source, [boris: 1])
                let causes = try await crm.psql.query(
                    "SELECT cause, count(*) FROM contact_events WHERE operator_id IS NOT NULL GROUP BY 1 ORDER BY 1")
                #expect(causes == [["distribution_changed", "300"], ["limit_raised", "4000"]])
            }
        }

        @Test("A change of staff that makes no room is no cause: who is let in then is found by the sweep")
        func noRoom() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "3600"]) { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let source = try await crm.newSource([anna])
                try await crm.register(4, at: source)
                for body in [["name": "x"], ["max_load": 3], ["is_active": true]] as [JSON] {
                    try await crm.psql.query("UPDATE operators SET max_load = current_load + 1")
                    _ = try await crm.client.patch("/api/v1/operators/\(anna)", body)
                }
                let causes = try await crm.psql.query(
                    "SELECT cause FROM contact_events WHERE contact_id > 1 AND operator_id IS NOT NULL ORDER BY id")
                #expect(causes == [["sweep"], ["sweep"], ["sweep"]])
            }
        }

        @Test("What somebody wrote into the tables by hand spoils no more than itself")
        func tampered() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 100)
                let source = try await crm.newSource([anna])
                _ = try await crm.client.patch("/api/v1/sources/\(source)", ["strategy": "least_loaded"])
                let contact = try await crm.registerOne(at: source)["id"].int!
                _ = try await crm.client.patch("/api/v1/contacts/\(contact)", ["status": "closed"])
                _ = try await crm.client.patch("/api/v1/contacts/\(contact)", ["status": "active"])
                let path = "/api/v1/contacts/\(contact)"
                #expect(try await crm.client.get("\(path)/explanation").json.elements.count == 2)
                try await crm.psql.query(
                    "UPDATE assignment_decisions SET record = '\\x02' WHERE id = (SELECT min(id) FROM assignment_decisions)"
                )
                let explanation = try await crm.client.get("\(path)/explanation")
                #expect(explanation.json.elements.map { $0["cause"] } == ["reopen"], "\(explanation)")
                try await crm.psql.query("UPDATE contact_events SET cause = 'whim' WHERE status = 'closed'")
                let history = try await crm.client.get("\(path)/history")
                #expect(history.json.elements.map { $0["cause"] } == ["registered", .null, "reopen"], "\(history)")
                for time in ["-infinity", "infinity"] {
                    try await crm.psql.query("UPDATE operator_source_weights SET given_at = '\(time)'")
                    _ = try await crm.registerOne(at: source)
                }
            }
        }

        @Test("The explanation is what really happened: candidates with their loads at that moment, and why not they")
        func explanation() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 3)
                let boris = try await crm.newOperator(maxLoad: 1)
                let clara = try await crm.newOperator(isActive: false)
                let source = try await crm.newSource()
                try await crm.setWeights(of: source, [anna: 10, boris: 30, clara: 5])
                // In one call, so in one transaction.
                let batch = try await crm.client.post(
                    "/api/v1/contacts/batch",
                    ["contacts": .array(Array(repeating: ["source_id": JSON(source)], count: 6))])
                let contacts = batch.json["results"].elements.map { $0["contact"] }
                var loads = [anna: 0, boris: 0, clara: 0]
                let limits = [anna: 3, boris: 1, clara: 10]
                for contact in contacts {
                    let answer = try await crm.client.get("/api/v1/contacts/\(contact["id"].int!)/explanation")
                    #expect(answer.json.elements.count == 1, "\(answer)")
                    let explanation = answer.json[0]
                    #expect(explanation.keys == Shape.explanation && Shape.isTime(explanation["at"]))
                    #expect(explanation["strategy"] == "weighted_random" && explanation["sticky"] == .bool(false))
                    #expect(explanation["cause"] == "registered")
                    let candidates = explanation["candidates"].elements
                    #expect(candidates.map { $0["operator_id"].int } == [anna, boris, clara])
                    for candidate in candidates {
                        let id = candidate["operator_id"].int!
                        #expect(candidate["current_load"] == JSON(loads[id]!), "\(explanation)")
                        #expect(candidate["max_load"] == JSON(limits[id]!))
                        let isFull = loads[id]! == limits[id]!
                        #expect(candidate["reason"] == (id == clara ? "inactive" : isFull ? "full" : .null))
                        #expect(candidate["available"] == .bool(id != clara && !isFull))
                    }
                    let chosen = explanation["chosen"]
                    guard let id = contact["operator_id"].int else {
                        #expect(chosen == .null)
                        continue
                    }
                    #expect(chosen["operator_id"] == JSON(id))
                    let weights = candidates.filter { $0["available"] == .bool(true) }
                        .reduce(into: [:]) { $0[$1["operator_id"].int!] = $1["weight"].int! }
                    #expect(chosen["weight"] == JSON(weights[id]!))
                    let probability = Double(weights[id]!) / Double(weights.values.reduce(0, +))
                    #expect(abs(chosen["probability"].double! - probability) < 1e-9)
                    loads[id]! += 1
                }
                #expect(contacts.last!["operator_id"] == .null, "the last one waits")
                let waiting = contacts.last!["id"].int!
                _ = try await crm.client.patch("/api/v1/contacts/\(contacts[0]["id"].int!)", ["status": "closed"])
                let both = try await crm.client.get("/api/v1/contacts/\(contacts[4]["id"].int!)/explanation").json
                #expect(both.elements.map { $0["cause"] } == ["registered", "place_freed"], "\(both)")
                #expect(try await crm.client.get("/api/v1/contacts/\(waiting)/explanation").json.elements.count == 1)
                let missing = try await crm.client.get("/api/v1/contacts/999/explanation")
                #expect(missing.json["code"] == "contact_not_found")
            }
        }

        @Test("Credits, sticky sources, shares and releases are explained")
        func strategies() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let boris = try await crm.newOperator()
                let source = try await crm.newSource()
                let path = "/api/v1/sources/\(source)"
                _ = try await crm.client.patch(path, ["strategy": "smooth_weighted", "sticky": true])
                let weights: JSON = [
                    ["operator_id": JSON(anna), "weight": 3], ["operator_id": JSON(boris), "weight": 1, "max_load": 1],
                ]
                _ = try await crm.client.post("\(path)/distribution", ["operator_weights": weights])
                func register(_ phone: String) async throws -> JSON {
                    let answer = try await crm.client.post(
                        "/api/v1/contacts", ["source_id": JSON(source), "lead_phone": .string(phone)])
                    let id = answer.json["id"].int!
                    return try await crm.client.get("/api/v1/contacts/\(id)/explanation").json[0]
                }
                let first = try await register("1")
                #expect(first["chosen"] == ["operator_id": JSON(anna), "weight": 3, "probability": 1])
                let second = try await register("2")
                #expect(second["candidates"].elements.map { $0["credit"].int } == [-1, 1], "\(second)")
                let again = try await register("1")
                #expect(again["sticky"] == .bool(true) && again["chosen"]["operator_id"] == JSON(anna), "\(again)")
                for phone in 3...5 { _ = try await register("\(phone)") }
                let last = try await register("6")
                #expect(last["candidates"][1]["reason"] == "source_share_full", "\(last)")
                let held = try await crm.contacts(of: anna)[0]
                _ = try await crm.client.post("/api/v1/operators/\(anna)/release", ["contact_ids": [JSON(held)]])
                let released = try await crm.client.get("/api/v1/contacts/\(held)/explanation").json.elements.last!
                #expect(released["cause"] == "release" && released["chosen"] == .null)
                #expect(released["candidates"].elements.map { $0["reason"] } == ["passed_over", "source_share_full"])
                _ = try await crm.client.patch("/api/v1/contacts/\(held)", ["operator_id": JSON(anna)])
                let all = try await crm.client.get("/api/v1/contacts/\(held)/explanation").json.elements
                #expect(all.contains { $0["cause"] == "transfer" } || all.last!["cause"] == "sweep", "\(all)")
            }
        }

        @Test("Explanations are kept for EXPLANATION_TTL")
        func time() async throws {
            try await Deployment.open(environment: ["EXPLANATION_TTL": "1"]) { crm in
                try await crm.psql.query(
                    """
                    INSERT INTO assignment_decisions (created_at, record)
                    SELECT now() - interval '1 hour', '' FROM generate_series(1, 2500)
                    """)
                try await eventually("old records are gone") {
                    try await crm.psql.number("SELECT count(*) FROM assignment_decisions") == 0
                }
                let contact = try await crm.registerOne(at: try await crm.newSource())["id"].int!
                #expect(try await crm.client.get("/api/v1/contacts/\(contact)/history").json.elements.count == 1)
            }
        }

        @Test("The preview tells who would get what, by the code that decides, and writes nothing")
        func preview() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 30)
                let boris = try await crm.newOperator(maxLoad: 1000)
                let clara = try await crm.newOperator(maxLoad: 1000, isActive: false)
                let source = try await crm.newSource()
                _ = try await crm.client.patch("/api/v1/sources/\(source)", ["strategy": "smooth_weighted"])
                try await crm.setWeights(of: source, [anna: 1, boris: 3])
                let path = "/api/v1/sources/\(source)/distribution/preview"
                let version = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM operator_source_weights AS t"
                let before = try await crm.psql.query(version)
                let answer = try await crm.client.post(path, ["count": 100])
                #expect(answer.json.keys == ["assigned", "waiting"], "\(answer)")
                func counts(_ answer: Client.Response) -> [Int?] {
                    answer.json["assigned"].elements.map { $0["count"].int }
                }
                #expect(counts(answer) == [25, 75] && answer.json["waiting"] == 0)
                #expect(answer.json["assigned"].elements.map { $0["expected_percent"] } == [25, 75])
                let many = try await crm.client.post(path, ["count": 2000])
                #expect(counts(many) == [30, 1000] && many.json["waiting"] == 970)
                #expect(try await crm.psql.query(version) == before, "nothing is written")
                // The same contacts, when they do come, go the same way.
                try await crm.register(100, at: source)
                let held = [try await crm.contacts(of: anna).count, try await crm.contacts(of: boris).count]
                #expect(held == [25, 75])
                let other = try await crm.client.post(
                    path,
                    [
                        "count": 10, "strategy": "least_loaded",
                        "operator_weights": [
                            ["operator_id": JSON(clara)], ["operator_id": JSON(boris), "max_load": 78],
                        ],
                    ])
                #expect(counts(other) == [3, 0] && other.json["waiting"] == 7, "\(other)")
                let missing = try await crm.client.post(path, ["count": 1, "operator_weights": [["operator_id": 99]]])
                #expect(missing.status == 404 && missing.json["code"] == "operator_not_found")
                for invalid in [["count": 0], ["count": 100_001], [:], ["count": 1, "strategy": "x"]] as [JSON] {
                    #expect(try await crm.client.post(path, invalid).status == 422)
                }
                let nowhere = try await crm.client.post("/api/v1/sources/99/distribution/preview", ["count": 1])
                #expect(nowhere.json["code"] == "source_not_found")
                let mismatch: JSON = ["count": 1, "operator_weights": [["operator_id": JSON(anna), "source_id": 99]]]
                #expect(try await crm.client.post(path, mismatch).json["code"] == "source_mismatch")
                // Those who wait come first.
                try await crm.psql.query("UPDATE operators SET max_load = 1 WHERE id = \(boris)")
                _ = try await crm.client.patch("/api/v1/operators/\(anna)", ["max_load": 25])
                try await crm.register(4, at: source)
                let behind = try await crm.client.post(
                    path,
                    ["count": 5, "operator_weights": [["operator_id": JSON(anna)], ["operator_id": JSON(clara)]]])
                #expect(counts(behind) == [0, 0] && behind.json["waiting"] == 5)
            }
        }

        private func history(of contact: Int, _ crm: Deployment) async throws -> [JSON] {
            let answer = try await crm.client.get("/api/v1/contacts/\(contact)/history")
            try #require(answer.status == 200, "\(answer)")
            return answer.json.elements
        }
    }
}
