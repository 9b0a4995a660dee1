import TestSupport
import Testing

extension System {
    @Suite("Operators")
    struct Operators {
        @Test("An operator is created with what is given, and with defaults for the rest")
        func create() async throws {
            try await Deployment.open { crm in
                let given = try await crm.client.post(
                    "/api/v1/operators", ["name": "Анна", "is_active": false, "max_load": 3, "unknown": 1])
                #expect(given.status == 201)
                #expect(given[header: "content-type"] == "application/json")
                #expect(given.json.keys == Shape.operator)
                #expect(given.json["name"] == "Анна")
                #expect(given.json["is_active"] == false)
                #expect(given.json["max_load"] == 3)
                #expect(given.json["current_load"] == 0)
                #expect(Shape.isTime(given.json["created_at"]))

                let standard = try await crm.client.post("/api/v1/operators", ["name": "Борис"])
                #expect(standard.status == 201)
                #expect(standard.json["is_active"] == true)
                #expect(standard.json["max_load"] == 10)

                let one = try await crm.client.get("/api/v1/operators/\(given.json["id"])")
                #expect(one.status == 200)
                #expect(one.json == given.json)
                let all = try await crm.client.get("/api/v1/operators")
                #expect(all.status == 200)
                #expect(all.json == [given.json, standard.json])
            }
        }

        @Test("A patch changes what it names; null and absence leave things as they are")
        func patch() async throws {
            try await Deployment.open { crm in
                let before = try await crm.client.post("/api/v1/operators", ["name": "Анна", "max_load": 3]).json
                let path = "/api/v1/operators/\(before["id"])"
                let same = try await crm.client.patch(path, ["name": .null, "is_active": .null, "max_load": .null])
                #expect(same.status == 200)
                for key in ["id", "name", "is_active", "max_load", "current_load", "created_at"] {
                    #expect(same.json[key] == before[key])
                }
                let renamed = try await crm.client.patch(path, ["name": "Анна П."])
                #expect(renamed.json.keys == Shape.operator)
                #expect(renamed.json["name"] == "Анна П.")
                #expect(renamed.json["max_load"] == 3)
                #expect(Shape.isTime(renamed.json["updated_at"]))
                let changed = try await crm.client.patch(path, ["is_active": false, "max_load": 7])
                #expect(changed.json["is_active"] == false)
                #expect(changed.json["max_load"] == 7)
                #expect(try await crm.client.get(path).json == changed.json)
            }
        }

        @Test("Lowering max_load below the load takes nothing away and lets nothing in until there is room again")
        func lowerMaxLoad() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 3)
                let source = try await crm.newSource([anna])
                let held = try await crm.register(3, at: source)
                let lowered = try await crm.client.patch("/api/v1/operators/\(anna)", ["max_load": 1])
                #expect(lowered.status == 200)
                #expect(lowered.json["current_load"] == 3)
                let waiting = try await crm.registerOne(at: source)
                #expect(waiting["operator_id"] == .null)
                for id in held {
                    #expect(try await crm.client.get("/api/v1/contacts/\(waiting["id"])").json["operator_id"] == .null)
                    #expect(try await crm.client.patch("/api/v1/contacts/\(id)", ["status": "closed"]).status == 200)
                }
                let last = try await crm.client.get("/api/v1/contacts/\(waiting["id"])").json
                #expect(last["operator_id"] == JSON(anna))
                #expect(last["operator"]["current_load"] == 1)
            }
        }

        @Test("An inactive operator keeps the contacts but gets no new ones")
        func inactive() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let source = try await crm.newSource([anna])
                #expect(try await crm.registerOne(at: source)["operator_id"] == JSON(anna))
                let path = "/api/v1/operators/\(anna)"
                #expect(try await crm.client.patch(path, ["is_active": false]).json["current_load"] == 1)
                #expect(try await crm.registerOne(at: source)["operator_id"] == .null)
            }
        }

        @Test("Ids keep all their 64 bits")
        func largeID() async throws {
            try await Deployment.open { crm in
                let id = Int.max
                try await crm.psql.query("INSERT INTO operators (id, name) VALUES (\(id), 'Анна')")
                #expect(try await crm.client.get("/api/v1/operators/\(id)").json["id"] == JSON(id))
                let source = try await crm.newSource([id])
                #expect(try await crm.registerOne(at: source)["operator_id"] == JSON(id))
                #expect(try await crm.client.get("/api/v1/operators?after=\(id - 1)").json[0]["id"] == JSON(id))
                #expect(try await crm.client.get("/api/v1/operators?after=\(id)").json == [])
            }
        }

        @Test("An unknown operator is not found")
        func unknown() async throws {
            try await Deployment.open { crm in
                let detail: JSON = ["detail": "Operator 7 not found", "code": "operator_not_found"]
                for answer in [
                    try await crm.client.get("/api/v1/operators/7"),
                    try await crm.client.patch("/api/v1/operators/7", ["name": "x"]),
                ] {
                    #expect(answer.status == 404)
                    #expect(answer.json == detail)
                }
            }
        }
    }
}
