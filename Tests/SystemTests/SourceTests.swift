import TestSupport
import Testing

extension System {
    @Suite("Sources")
    struct Sources {
        @Test("A source is created, read, listed and changed")
        func sources() async throws {
            try await Deployment.open { crm in
                let bot = try await crm.client.post("/api/v1/sources", ["name": "Bot", "description": "Telegram"])
                #expect(bot.status == 201)
                #expect(bot.json.keys == Shape.source)
                #expect(bot.json["name"] == "Bot")
                #expect(bot.json["description"] == "Telegram")
                #expect(Shape.isTime(bot.json["created_at"]))
                let form = try await crm.client.post("/api/v1/sources", ["name": "Form"])
                #expect(form.json["description"] == .null)

                let path = "/api/v1/sources/\(bot.json["id"])"
                #expect(try await crm.client.get(path).json == bot.json)
                let all = try await crm.client.get("/api/v1/sources")
                #expect(all.status == 200)
                #expect(all.json == [bot.json, form.json])

                let renamed = try await crm.client.patch(path, ["name": "Bot 2", "description": .null])
                #expect(renamed.status == 200)
                #expect(renamed.json["name"] == "Bot 2")
                #expect(renamed.json["description"] == "Telegram")
                let described = try await crm.client.patch(path, ["description": "Viber"])
                #expect(described.json["name"] == "Bot 2")
                #expect(described.json["description"] == "Viber")
                #expect(try await crm.client.get(path).json == described.json)
            }
        }

        @Test("A name belongs to one source")
        func nameTaken() async throws {
            try await Deployment.open { crm in
                _ = try await crm.client.post("/api/v1/sources", ["name": "Bot"])
                let form = try await crm.client.post("/api/v1/sources", ["name": "Form"]).json
                let path = "/api/v1/sources/\(form["id"])"
                for answer in [
                    try await crm.client.post("/api/v1/sources", ["name": "Bot"]),
                    try await crm.client.patch(path, ["name": "Bot"]),
                ] {
                    #expect(answer.status == 400)
                    #expect(answer.json.keys == ["detail", "code"])
                    #expect(answer.json["code"] == "source_name_taken")
                    #expect(answer.json["detail"].string?.contains("already exists") == true)
                }
                #expect(try await crm.client.patch(path, ["name": "Form"]).status == 200)
                #expect(try await crm.psql.number("SELECT count(*) FROM sources") == 2)
            }
        }

        @Test("Of parallel calls that want one name, one gets it")
        func nameTakenInParallel() async throws {
            try await Deployment.open(instances: 2) { crm in
                let statuses = try await inParallel(20) { number in
                    try await crm.client(number).post("/api/v1/sources", ["name": "Bot"]).status
                }
                #expect(statuses.sorted() == [201] + [Int](repeating: 400, count: 19))
            }
        }

        @Test("Unknown sources are not found, whatever is asked of them")
        func unknown() async throws {
            try await Deployment.open { crm in
                let weights: JSON = ["operator_weights": []]
                for answer in [
                    try await crm.client.get("/api/v1/sources/7"),
                    try await crm.client.patch("/api/v1/sources/7", ["name": "x"]),
                    try await crm.client.get("/api/v1/sources/7/distribution"),
                    try await crm.client.post("/api/v1/sources/7/distribution", weights),
                    try await crm.client.put("/api/v1/sources/7/distribution", weights),
                ] {
                    #expect(answer.status == 404)
                    #expect(answer.json == ["detail": "Source 7 not found", "code": "source_not_found"])
                }
            }
        }
    }

    @Suite("Distribution")
    struct Distribution {
        @Test("Posting weights creates or changes the pairs named and leaves the others")
        func post() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(), try await crm.newOperator())
                let source = try await crm.newSource()
                let path = "/api/v1/sources/\(source)/distribution"
                #expect(try await crm.client.get(path).json == [])

                let first = try await crm.client.post(
                    path,
                    [
                        "operator_weights": [
                            ["operator_id": JSON(anna), "source_id": JSON(source), "weight": 10],
                            ["operator_id": JSON(boris)],
                        ]
                    ])
                #expect(first.status == 201)
                #expect(first.json.elements.allSatisfy { $0.keys == Shape.weight && Shape.isTime($0["created_at"]) })
                #expect(first.json.elements.map { $0["operator_id"] } == [JSON(anna), JSON(boris)])
                #expect(first.json.elements.map { $0["source_id"] } == [JSON(source), JSON(source)])
                #expect(first.json.elements.map { $0["weight"] } == [10, 1])
                #expect(try await crm.client.get(path).json == first.json)

                let second = try await crm.client.post(
                    path, ["operator_weights": [["operator_id": JSON(boris), "weight": 30]]])
                #expect(second.status == 201)
                #expect(second.json.elements.map { $0["weight"] } == [30])
                #expect(second.json[0]["id"] == first.json[1]["id"])
                let all = try await crm.client.get(path)
                #expect(all.status == 200)
                #expect(all.json.elements.map { $0["weight"] } == [10, 30])
            }
        }

        @Test("Putting weights replaces the whole set; an empty list clears it")
        func put() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(), try await crm.newOperator())
                let source = try await crm.newSource([anna])
                let path = "/api/v1/sources/\(source)/distribution"
                let replaced = try await crm.client.put(
                    path, ["operator_weights": [["operator_id": JSON(boris), "weight": 5]]])
                #expect(replaced.status == 200)
                #expect(replaced.json.elements.map { $0["operator_id"] } == [JSON(boris)])
                #expect(try await crm.client.get(path).json == replaced.json)
                let cleared = try await crm.client.put(path, ["operator_weights": []])
                #expect(cleared.status == 200)
                #expect(cleared.json == [])
                #expect(try await crm.client.get(path).json == [])
            }
        }

        @Test("A call with one wrong pair changes nothing")
        func allOrNothing() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let source = try await crm.newSource([anna])
                let path = "/api/v1/sources/\(source)/distribution"
                let good: JSON = ["operator_id": JSON(anna), "weight": 9]
                for method in ["POST", "PUT"] {
                    let unknown = try await crm.client.send(
                        method, path, json: ["operator_weights": [good, ["operator_id": 77, "weight": 1]]])
                    #expect(unknown.status == 404)
                    #expect(unknown.json == ["detail": "Operator 77 not found", "code": "operator_not_found"])
                    let elsewhere = try await crm.client.send(
                        method, path, json: ["operator_weights": [good, ["operator_id": JSON(anna), "source_id": 77]]])
                    #expect(elsewhere.status == 400)
                    #expect(elsewhere.json["code"] == "source_mismatch")
                    let zero = try await crm.client.send(
                        method, path, json: ["operator_weights": [good, ["operator_id": JSON(anna), "weight": 0]]])
                    #expect(zero.status == 422)
                    #expect(zero.json["detail"][0]["loc"] == ["body", "operator_weights", 1, "weight"])
                    #expect(zero.json["detail"][0]["type"] == "greater_than_equal")
                    #expect(try await crm.client.get(path).json.elements.map { $0["weight"] } == [1])
                }
            }
        }
    }
}
