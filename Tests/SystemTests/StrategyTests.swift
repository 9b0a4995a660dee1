import TestSupport
import Testing

extension System {
    @Suite("Strategies")
    struct Strategies {
        private func newSource(
            _ crm: Deployment, _ fields: JSON, _ weights: [(operatorID: Int, weight: Int, maxLoad: Int?)]
        ) async throws -> Int {
            let source = try await crm.newSource()
            #expect(try await crm.client.patch("/api/v1/sources/\(source)", fields).status == 200)
            let answer = try await crm.client.put(
                "/api/v1/sources/\(source)/distribution",
                [
                    "operator_weights": .array(
                        weights.map {
                            [
                                "operator_id": JSON($0.operatorID), "weight": JSON($0.weight),
                                "max_load": $0.maxLoad.map { JSON($0) } ?? .null,
                            ]
                        })
                ])
            try #require(answer.status == 200, "\(answer)")
            return source
        }

        @Test("A source shows its strategy and whether it is sticky; both can be set and changed")
        func fields() async throws {
            try await Deployment.open { crm in
                let plain = try await crm.client.post("/api/v1/sources", ["name": "plain"])
                #expect(plain.json["strategy"] == "weighted_random" && plain.json["sticky"] == false)
                let made = try await crm.client.post(
                    "/api/v1/sources", ["name": "made", "strategy": "least_loaded", "sticky": true])
                #expect(made.json["strategy"] == "least_loaded" && made.json["sticky"] == true)
                let path = "/api/v1/sources/\(made.json["id"].int!)"
                let changed = try await crm.client.patch(path, ["strategy": "smooth_weighted"])
                #expect(changed.json["strategy"] == "smooth_weighted" && changed.json["sticky"] == true)
                let same = try await crm.client.patch(path, ["strategy": .null, "sticky": false])
                #expect(same.json["strategy"] == "smooth_weighted" && same.json["sticky"] == false)
                #expect(try await crm.client.get(path).json == same.json)
                #expect(try await crm.client.get("/api/v1/sources").json.elements.last == same.json)
            }
        }

        @Test(
            "In turn, over three instances each operator stays within one contact of the share",
            arguments: ["on", "off"], [[5, 1, 1], [1, 1000, 10, 100, 1, 10, 100, 1, 37]])
        func inTurn(gate: String, weights: [Int]) async throws {
            try await Deployment.open(
                instances: 3, environment: ["ASSIGNMENT_GATE": gate, "REQUEST_TIMEOUT": "60"]
            ) { crm in
                var operators: [(operatorID: Int, weight: Int, maxLoad: Int?)] = []
                for weight in weights { operators.append((try await crm.newOperator(maxLoad: 10_000), weight, nil)) }
                let source = try await newSource(crm, ["strategy": "smooth_weighted"], operators)
                func expectWithinOne(after last: Int) async throws {
                    let given = try await crm.psql.numbers(
                        "SELECT operator_id FROM contacts WHERE id > \(last) ORDER BY id")
                    let sum = weights.reduce(0, +)
                    var counts: [Int: Int] = [:]
                    for (index, id) in given.enumerated() {
                        counts[id, default: 0] += 1
                        // Without the gate ids are not in the order in which transactions commit.
                        guard gate == "on" || index == given.count - 1 else { continue }
                        for (id, weight, _) in operators {
                            let deviation = counts[id, default: 0] * sum - (index + 1) * weight
                            #expect(
                                abs(deviation) <= sum, "operator \(id) with \(weight) after \(index + 1): \(counts)")
                        }
                    }
                }
                let first = try await crm.register(1_000, at: source)
                try await expectWithinOne(after: 0)

                let away = operators[0].operatorID
                _ = try await crm.client.patch("/api/v1/operators/\(away)", ["is_active": false])
                let second = try await crm.register(300, at: source)
                let missed = try await crm.psql.number(
                    "SELECT count(*) FROM contacts WHERE operator_id = \(away) AND id > \(first.last!)")
                #expect(missed == 0)
                _ = try await crm.client.patch("/api/v1/operators/\(away)", ["is_active": true])
                try await crm.register(500, at: source)
                try await expectWithinOne(after: second.last!)
            }
        }

        @Test("By load, contacts go where most room is in proportion; equal ones go to who waited longest")
        func leastLoaded() async throws {
            try await Deployment.open(instances: 3) { crm in
                var operators: [(operatorID: Int, weight: Int, maxLoad: Int?)] = []
                for limit in [10, 20, 30] { operators.append((try await crm.newOperator(maxLoad: limit), 1, nil)) }
                let source = try await newSource(crm, ["strategy": "least_loaded"], operators)
                let held = try await crm.register(30, at: source)
                #expect(
                    try await crm.psql.numbers("SELECT current_load FROM operators ORDER BY id") == [5, 10, 15])
                for id in held { _ = try await crm.client.patch("/api/v1/contacts/\(id)", ["status": "closed"]) }

                var given: [Int] = []
                for number in 0..<12 {
                    let answer = try await crm.client(number).post("/api/v1/contacts", ["source_id": JSON(source)])
                    given.append(answer.json["operator_id"].int!)
                    let path = "/api/v1/contacts/\(answer.json["id"].int!)"
                    _ = try await crm.client(number + 1).patch(path, ["status": "closed"])
                }
                #expect(Set(given.prefix(3)).count == 3, "\(given)")
                #expect((3..<12).allSatisfy { given[$0] == given[$0 - 3] }, "in turn: \(given)")
            }
        }

        @Test("At a sticky source a lead who comes back goes to the same operator, while that one may have it")
        func sticky() async throws {
            try await Deployment.open(instances: 2) { crm in
                let (anna, boris) = (try await crm.newOperator(maxLoad: 100), try await crm.newOperator(maxLoad: 100))
                let other = try await crm.newSource([anna])
                // By chance all would be Boris's.
                let source = try await newSource(
                    crm, ["sticky": true], [(anna, 1, nil), (boris, 2_147_483_647, nil)])
                func comes(_ phone: String, to source: Int) async throws -> JSON {
                    let answer = try await crm.client(phone.count).post(
                        "/api/v1/contacts", ["source_id": JSON(source), "lead_phone": .string(phone)])
                    return answer.json["operator_id"]
                }
                #expect(try await comes("1", to: source) == JSON(boris))
                #expect(try await comes("22", to: other) == JSON(anna))
                for _ in 0..<5 { #expect(try await comes("22", to: source) == JSON(anna)) }
                // Whoever waits has had nobody since.
                let empty = try await crm.newSource()
                #expect(try await comes("22", to: empty) == .null)
                #expect(try await comes("22", to: source) == JSON(anna))
                _ = try await crm.client.patch("/api/v1/operators/\(anna)", ["is_active": false])
                #expect(try await comes("22", to: source) == JSON(boris))
                _ = try await crm.client.patch("/api/v1/operators/\(anna)", ["is_active": true])
                #expect(try await comes("22", to: source) == JSON(boris), "the last contact is Boris's")
            }
        }

        @Test("A weight's max_load is kept, shown, and lets those in who wait when it is raised or taken away")
        func shareLimit() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(maxLoad: 100), try await crm.newOperator(maxLoad: 100))
                let source = try await newSource(crm, [:], [(anna, 1, 3), (boris, 1, 2)])
                let other = try await crm.newSource([anna])
                let path = "/api/v1/sources/\(source)/distribution"
                #expect(try await crm.client.get(path).json.elements.map { $0["max_load"] } == [3, 2])
                let contacts = try await crm.register(9, at: source)
                #expect(try await crm.contacts(of: anna).count == 3)
                #expect(try await crm.contacts(of: boris).count == 2)
                try await crm.register(5, at: other)
                #expect(try await crm.contacts(of: anna).count == 8, "another source's have their own limit")

                let waiting = try await crm.psql.numbers(
                    "SELECT id FROM contacts WHERE operator_id IS NULL ORDER BY id")
                #expect(waiting == Array(contacts.suffix(4)))
                let refused = try await crm.client.patch("/api/v1/contacts/\(waiting[3])", ["operator_id": JSON(anna)])
                #expect(refused.status == 409 && refused.json["code"] == "source_share_full")
                #expect(
                    refused.json["detail"]
                        == .string("Operator \(anna) has no room for another contact of source \(source)"))

                func set(_ limit: JSON) async throws {
                    let weights: JSON = ["operator_weights": [["operator_id": JSON(anna), "max_load": limit]]]
                    let answer = try await crm.client.post(path, weights)
                    #expect(answer.status == 201 && answer.json[0]["max_load"] == limit)
                }
                try await set(1)
                #expect(try await crm.contacts(of: anna).count == 8, "nothing is taken away")
                let held = try await crm.psql.numbers(
                    "SELECT id FROM contacts WHERE operator_id = \(anna) AND source_id = \(source) ORDER BY id")
                for id in held.prefix(2) {
                    _ = try await crm.client.patch("/api/v1/contacts/\(id)", ["status": "closed"])
                }
                #expect(try await crm.psql.number("SELECT count(*) FROM contacts WHERE operator_id IS NULL") == 4)
                let reopened = try await crm.client.patch(
                    "/api/v1/contacts/\(held[0])", ["status": "active", "operator_id": JSON(anna)])
                #expect(reopened.json["code"] == "source_share_full")
                _ = try await crm.client.patch("/api/v1/contacts/\(held[2])", ["status": "closed"])
                #expect(try await crm.contacts(of: anna).contains(waiting[0]), "the place goes to who waits")
                try await set(2)
                #expect(try await crm.contacts(of: anna).contains(waiting[1]))
                try await set(.null)
                #expect(try await crm.psql.number("SELECT count(*) FROM contacts WHERE operator_id IS NULL") == 0)
            }
        }

        @Test("A share that is full keeps the sweep idle; a place in it that psql makes is found")
        func sweep() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "1"]) { crm in
                let anna = try await crm.newOperator(maxLoad: 100)
                let source = try await newSource(crm, [:], [(anna, 1, 1)])
                let contacts = try await crm.register(3, at: source)
                try await crm.psql.query("UPDATE contacts SET status = 'closed' WHERE id = \(contacts[0])")
                try await eventually("the first who waits is let in") {
                    try await crm.contacts(of: anna) == [contacts[1]]
                }
            }
        }

        @Test("The queue is by priority, then by age: in admission, after a change of priority, and after psql's")
        func priority() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "1"]) { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let source = try await crm.newSource([anna])
                _ = try await crm.registerOne(at: source)
                var waiting: [Int] = []
                for priority in [0, 5, 9, 5, 0] {
                    let answer = try await crm.client.post(
                        "/api/v1/contacts", ["source_id": JSON(source), "priority": JSON(priority)])
                    #expect(answer.status == 201 && answer.json["priority"] == JSON(priority))
                    waiting.append(answer.json["id"].int!)
                }
                let raised = try await crm.client.patch("/api/v1/contacts/\(waiting[4])", ["priority": 7])
                #expect(raised.json["priority"] == 7 && raised.json["updated_at"] != .null)
                #expect(raised.json["operator_id"] == .null)
                #expect(try await crm.client.get("/api/v1/contacts/\(waiting[4])").json["priority"] == 7)
                let lead = try await crm.client.get("/api/v1/leads/\(raised.json["lead_id"].int!)")
                #expect(lead.json["contacts"][0]["priority"] == 7)
                for (number, next) in [2, 4, 1, 3, 0].enumerated() {
                    let held = try await crm.contacts(of: anna)[0]
                    if number % 2 == 0 {
                        _ = try await crm.client.patch("/api/v1/contacts/\(held)", ["status": "closed"])
                    } else {
                        try await crm.psql.query("UPDATE contacts SET status = 'closed' WHERE id = \(held)")
                        try await eventually("the sweep lets somebody in") {
                            try await !crm.contacts(of: anna).isEmpty
                        }
                    }
                    #expect(try await crm.contacts(of: anna) == [waiting[next]])
                }
            }
        }
    }
}
