import TestSupport
import Testing

extension System {
    @Suite("Leads")
    struct Leads {
        /// Registers a contact with the given members and returns its lead.
        private func register(_ crm: Deployment, _ source: Int, _ members: [String: JSON]) async throws -> JSON {
            let body = JSON.object(members.merging(["source_id": JSON(source)]) { given, _ in given })
            let answer = try await crm.client.post("/api/v1/contacts", body)
            try #require(answer.status == 201, "\(answer)")
            return answer.json["lead"]
        }

        @Test("A lead is recognised by external id first, then by phone, then by email")
        func priority() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let byID = try await register(crm, source, ["lead_external_id": "e1"])
                let byPhone = try await register(crm, source, ["lead_phone": "+71"])
                let byEmail = try await register(crm, source, ["lead_email": "a@b.c"])
                #expect(Set([byID, byPhone, byEmail].map { $0["id"] }).count == 3)

                let all: [String: JSON] = [
                    "lead_external_id": "e1", "lead_phone": "+71", "lead_email": "a@b.c",
                ]
                #expect(try await register(crm, source, all)["id"] == byID["id"])
                let two = all.filter { $0.key != "lead_external_id" }
                #expect(try await register(crm, source, two)["id"] == byPhone["id"])
                #expect(try await register(crm, source, ["lead_email": "a@b.c"])["id"] == byEmail["id"])
                let unknownID = all.merging(["lead_external_id": "e2"]) { $1 }
                #expect(try await register(crm, source, unknownID)["id"] == byPhone["id"])
                #expect(try await crm.psql.number("SELECT count(*) FROM leads") == 3)
            }
        }

        @Test("A match fills what the lead lacks and overwrites nothing")
        func fill() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let new = try await register(crm, source, ["lead_phone": "+71"])
                #expect(new.keys == Shape.lead)
                #expect(new["name"] == .null)
                let filled = try await register(
                    crm, source,
                    ["lead_external_id": "e1", "lead_phone": "+71", "lead_email": "a@b.c", "lead_name": "Пётр"])
                #expect(filled["id"] == new["id"])
                #expect(filled["external_id"] == "e1")
                #expect(filled["email"] == "a@b.c")
                #expect(filled["name"] == "Пётр")
                #expect(Shape.isTime(filled["updated_at"]))
                let again = try await register(
                    crm, source,
                    ["lead_external_id": "e1", "lead_phone": "+72", "lead_email": "x@y.z", "lead_name": "Иван"])
                #expect(again == filled)
            }
        }

        @Test("A value that belongs to another lead is not taken over, and leads are never merged")
        func noMerge() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let first = try await register(crm, source, ["lead_external_id": "e1"])
                let second = try await register(crm, source, ["lead_phone": "+71", "lead_email": "a@b.c"])
                let match = try await register(
                    crm, source, ["lead_external_id": "e1", "lead_phone": "+71", "lead_email": "new@b.c"])
                #expect(match["id"] == first["id"])
                #expect(match["phone"] == .null)
                #expect(match["email"] == "new@b.c")
                let other = try await crm.client.get("/api/v1/leads/\(second["id"])").json
                #expect(other["phone"] == "+71")
                #expect(other["email"] == "a@b.c")
                #expect(other["external_id"] == .null)
            }
        }

        @Test("Without an identifier each contact has a new lead; an empty one counts as none")
        func anonymous() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let empty: [String: JSON] = [
                    "lead_external_id": "", "lead_phone": " - ", "lead_email": "  ", "lead_name": "Имя",
                ]
                let leads = [
                    try await register(crm, source, ["lead_name": "Имя"]),
                    try await register(crm, source, empty),
                    try await register(crm, source, empty),
                    try await register(crm, source, ["lead_external_id": .null, "lead_phone": .null]),
                ]
                #expect(Set(leads.map { $0["id"] }).count == 4)
                for lead in leads {
                    #expect(["external_id", "phone", "email"].allSatisfy { lead[$0] == .null })
                }
            }
        }

        @Test("Phones and emails are matched, stored and answered in their normal form")
        func normalisation() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let new = try await register(
                    crm, source, ["lead_phone": "+7 (900) 123-45.67", "lead_email": "  Petr@Example.COM "])
                #expect(new["phone"] == "+79001234567")
                #expect(new["email"] == "petr@example.com")
                #expect(try await register(crm, source, ["lead_phone": "+7[900]1234567"])["id"] == new["id"])
                #expect(try await register(crm, source, ["lead_email": "PETR@example.com"])["id"] == new["id"])
                #expect(
                    try await crm.psql.query("SELECT phone, email FROM leads") == [
                        ["+79001234567", "petr@example.com"]
                    ])
                for filter in ["phone=%2B7%20900-123-45-67", "email=%20PETR%40Example.com", "phone=%2B79001234567"] {
                    let found = try await crm.client.get("/api/v1/leads?\(filter)")
                    #expect(found.json.elements.map { $0["id"] } == [new["id"]], "\(filter)")
                }
            }
        }

        @Test("Leads are read with their contacts, one by one, in a list, and by identifier")
        func read() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let first = try await register(crm, source, ["lead_external_id": "e1", "message": "раз"])
                _ = try await register(crm, source, ["lead_external_id": "e1", "message": "два"])
                let second = try await register(crm, source, ["lead_email": "a@b.c"])

                let one = try await crm.client.get("/api/v1/leads/\(first["id"])")
                #expect(one.status == 200)
                #expect(one.json.keys == Shape.leadWithContacts)
                #expect(one.json["contacts"].elements.allSatisfy { $0.keys == Shape.contact })
                #expect(one.json["contacts"].elements.map { $0["message"] } == ["раз", "два"])
                let all = try await crm.client.get("/api/v1/leads")
                #expect(all.status == 200)
                #expect(all.json.elements.map { $0["id"] } == [first["id"], second["id"]])
                #expect(all.json[0] == one.json)
                #expect(try await crm.client.get("/api/v1/leads?external_id=e1").json == [one.json])
                #expect(try await crm.client.get("/api/v1/leads?external_id=e1&email=a%40b.c").json == [])
                for filter in ["email=", "email=%20", "phone=-", "external_id=", "email=a%40b.c&phone="] {
                    #expect(try await crm.client.get("/api/v1/leads?\(filter)").json == [], "\(filter)")
                }

                // The same by a body.
                func search(_ body: JSON) async throws -> JSON {
                    let answer = try await crm.client.post("/api/v1/leads/search", body)
                    #expect(answer.status == 200, "\(answer)")
                    return answer.json
                }
                #expect(try await search(["external_id": "e1"]) == [one.json])
                #expect(try await search(["email": " A@B.c "]).elements.map { $0["id"] } == [second["id"]])
                #expect(try await search(["external_id": "e1", "email": "a@b.c"]) == [])
                for body in [[:], ["email": ""], ["phone": "-"], ["email": "a@b.c", "phone": ""]] as [JSON] {
                    #expect(try await search(body) == [], "\(body)")
                }
                #expect(try await crm.client.post("/api/v1/leads/search", ["email": 7]).status == 422)

                let unknown = try await crm.client.get("/api/v1/leads/77")
                #expect(unknown.status == 404)
                #expect(unknown.json == ["detail": "Lead 77 not found", "code": "lead_not_found"])
            }
        }
    }
}
