import TestSupport
import Testing

extension System {
    @Suite("Contacts")
    struct Contacts {
        @Test("A contact is registered with its lead, goes to an operator of its source, and is read back")
        func register() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let source = try await crm.newSource([anna])
                let answer = try await crm.client.post(
                    "/api/v1/contacts",
                    [
                        "source_id": JSON(source), "lead_external_id": "e1", "lead_phone": "+71",
                        "lead_email": "a@b.c", "lead_name": "Пётр", "message": "Здравствуйте",
                    ])
                #expect(answer.status == 201)
                let contact = answer.json
                #expect(contact.keys == Shape.contactWithDetails)
                #expect(contact["source_id"] == JSON(source))
                #expect(contact["operator_id"] == JSON(anna))
                #expect(contact["status"] == "active")
                #expect(contact["message"] == "Здравствуйте")
                #expect(Shape.isTime(contact["created_at"]))
                #expect(contact["lead"].keys == Shape.lead)
                #expect(contact["lead"]["id"] == contact["lead_id"])
                #expect(contact["lead"]["external_id"] == "e1")
                #expect(contact["lead"]["phone"] == "+71")
                #expect(contact["lead"]["email"] == "a@b.c")
                #expect(contact["lead"]["name"] == "Пётр")
                #expect(contact["operator"].keys == Shape.operator)
                #expect(contact["operator"]["id"] == JSON(anna))
                #expect(contact["operator"]["current_load"] == 1)
                #expect(contact["source"].keys == Shape.source)
                #expect(contact["source"]["id"] == JSON(source))

                let path = "/api/v1/contacts/\(contact["id"])"
                let one = try await crm.client.get(path)
                #expect(one.status == 200)
                #expect(one.json == contact)
                let all = try await crm.client.get("/api/v1/contacts")
                #expect(all.status == 200)
                #expect(all.json == [contact])
            }
        }

        @Test("A contact that finds no operator waits")
        func waits() async throws {
            try await Deployment.open { crm in
                let contact = try await crm.registerOne(at: crm.newSource())
                #expect(contact.keys == Shape.contactWithDetails)
                #expect(contact["operator_id"] == .null)
                #expect(contact["operator"] == .null)
                #expect(contact["status"] == "active")
                #expect(contact["message"] == .null)
            }
        }

        @Test("Unknown sources, contacts and operators are not found")
        func unknown() async throws {
            try await Deployment.open { crm in
                let contact = try await crm.registerOne(at: crm.newSource())
                let noSource = try await crm.client.post("/api/v1/contacts", ["source_id": 77])
                #expect(noSource.status == 404)
                #expect(noSource.json == ["detail": "Source 77 not found", "code": "source_not_found"])
                for answer in [
                    try await crm.client.get("/api/v1/contacts/77"),
                    try await crm.client.patch("/api/v1/contacts/77", ["status": "closed"]),
                    try await crm.client.patch("/api/v1/contacts/77", [:]),
                ] {
                    #expect(answer.status == 404)
                    #expect(answer.json == ["detail": "Contact 77 not found", "code": "contact_not_found"])
                }
                let path = "/api/v1/contacts/\(contact["id"])"
                let noOperator = try await crm.client.patch(path, ["operator_id": 77])
                #expect(noOperator.status == 404)
                #expect(noOperator.json == ["detail": "Operator 77 not found", "code": "operator_not_found"])
                #expect(try await crm.client.get(path).json == contact)
            }
        }

        @Test("Closing frees the operator's place, once")
        func close() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let source = try await crm.newSource([anna])
                let ids = try await crm.register(2, at: source)
                let path = "/api/v1/contacts/\(ids[0])"
                let closed = try await crm.client.patch(path, ["status": "closed"])
                #expect(closed.status == 200)
                #expect(closed.json.keys == Shape.contactWithDetails)
                #expect(closed.json["status"] == "closed")
                #expect(closed.json["operator_id"] == JSON(anna))
                #expect(closed.json["operator"]["current_load"] == 1)
                #expect(Shape.isTime(closed.json["updated_at"]))
                let again = try await crm.client.patch(path, ["status": "closed"])
                #expect(again.status == 200)
                #expect(again.json == closed.json)
                #expect(try await crm.client.get("/api/v1/operators/\(anna)").json["current_load"] == 1)
            }
        }

        @Test("A patch without a change, and one of the message, leave operator and status alone")
        func message() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let contact = try await crm.registerOne(at: crm.newSource([anna]))
                let path = "/api/v1/contacts/\(contact["id"])"
                let same = try await crm.client.patch(
                    path, ["status": .null, "operator_id": .null, "message": .null, "unknown": 1])
                #expect(same.status == 200)
                #expect(same.json["operator_id"] == JSON(anna))
                let changed = try await crm.client.patch(path, ["message": "Перезвонить", "status": "active"])
                #expect(changed.status == 200)
                #expect(changed.json["message"] == "Перезвонить")
                #expect(changed.json["operator_id"] == JSON(anna))
                #expect(changed.json["operator"]["current_load"] == 1)
            }
        }

        @Test("Reopening gives the contact back to its operator if there is room")
        func reopenToTheSame() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(maxLoad: 1), try await crm.newOperator(maxLoad: 50))
                let source = try await crm.newSource([anna])
                let contact = try await crm.registerOne(at: source)
                try await crm.setWeights(of: source, [boris: 1_000_000])
                let path = "/api/v1/contacts/\(contact["id"])"
                _ = try await crm.client.patch(path, ["status": "closed"])
                let reopened = try await crm.client.patch(path, ["status": "active"])
                #expect(reopened.status == 200)
                #expect(reopened.json["status"] == "active")
                #expect(reopened.json["operator_id"] == JSON(anna))
                #expect(reopened.json["operator"]["current_load"] == 1)
            }
        }

        @Test("Reopening gives the contact to another operator if its own is full, or lets it wait if all are")
        func reopenToAnother() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let boris = try await crm.newOperator(maxLoad: 1, isActive: false)
                let source = try await crm.newSource([anna, boris])
                let contact = try await crm.registerOne(at: source)
                let path = "/api/v1/contacts/\(contact["id"])"
                _ = try await crm.client.patch(path, ["status": "closed"])
                #expect(try await crm.registerOne(at: source)["operator_id"] == JSON(anna))

                let waiting = try await crm.client.patch(path, ["status": "active"])
                #expect(waiting.status == 200)
                #expect(waiting.json["status"] == "active")
                #expect(waiting.json["operator_id"] == .null)
                #expect(waiting.json["operator"] == .null)

                _ = try await crm.client.patch(path, ["status": "closed"])
                _ = try await crm.client.patch("/api/v1/operators/\(boris)", ["is_active": true])
                let other = try await crm.client.patch(path, ["status": "active"])
                #expect(other.json["operator_id"] == JSON(boris))
            }
        }

        @Test("A transfer moves an active contact to an operator with room")
        func transfer() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(), try await crm.newOperator(maxLoad: 1))
                let source = try await crm.newSource([anna])
                let ids = try await crm.register(2, at: source)
                let moved = try await crm.client.patch("/api/v1/contacts/\(ids[0])", ["operator_id": JSON(boris)])
                #expect(moved.status == 200)
                #expect(moved.json["operator_id"] == JSON(boris))
                #expect(moved.json["operator"]["current_load"] == 1)
                #expect(try await crm.client.get("/api/v1/operators/\(anna)").json["current_load"] == 1)

                let same = try await crm.client.patch("/api/v1/contacts/\(ids[0])", ["operator_id": JSON(boris)])
                #expect(same.status == 200)
                #expect(same.json["operator"]["current_load"] == 1)
                let full = try await crm.client.patch("/api/v1/contacts/\(ids[1])", ["operator_id": JSON(boris)])
                #expect(full.status == 409)
                #expect(full.json["code"] == "operator_full")
                #expect(try await crm.contacts(of: anna) == [ids[1]])
            }
        }

        @Test("A contact that waits can be given to any operator with room")
        func transferWaiting() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator()
                let contact = try await crm.registerOne(at: crm.newSource())
                let given = try await crm.client.patch(
                    "/api/v1/contacts/\(contact["id"])", ["operator_id": JSON(anna)])
                #expect(given.status == 200)
                #expect(given.json["operator_id"] == JSON(anna))
            }
        }

        @Test("No transfer to an inactive operator, and none of a closed contact")
        func refusedTransfer() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(), try await crm.newOperator(isActive: false))
                let source = try await crm.newSource([anna])
                let contact = try await crm.registerOne(at: source)
                let path = "/api/v1/contacts/\(contact["id"])"
                let inactive = try await crm.client.patch(path, ["operator_id": JSON(boris)])
                #expect(inactive.status == 409)
                #expect(inactive.json["code"] == "operator_inactive")
                #expect(try await crm.client.get(path).json["operator_id"] == JSON(anna))
                _ = try await crm.client.patch("/api/v1/operators/\(boris)", ["is_active": true])
                _ = try await crm.client.patch(path, ["status": "closed"])
                let closed = try await crm.client.patch(path, ["operator_id": JSON(boris)])
                #expect(closed.status == 409)
                #expect(closed.json["code"] == "contact_closed")
                #expect(try await crm.contacts(of: boris).isEmpty)
            }
        }

        @Test("The distribution's statistics count every pair's contacts, whatever their status")
        func statistics() async throws {
            try await Deployment.open { crm in
                let path = "/api/v1/contacts/stats/distribution"
                #expect(try await crm.client.get(path).json == [])
                let (anna, boris) = (try await crm.newOperator(maxLoad: 2), try await crm.newOperator())
                let bot = try await crm.client.post("/api/v1/sources", ["name": "Bot"]).json["id"].int!
                let form = try await crm.client.post("/api/v1/sources", ["name": "Form"]).json["id"].int!
                _ = try await crm.newSource([boris])
                try await crm.setWeights(of: bot, [anna: 1])
                let ids = try await crm.register(3, at: bot)
                _ = try await crm.client.patch("/api/v1/contacts/\(ids[2])", ["operator_id": JSON(boris)])
                _ = try await crm.client.patch("/api/v1/contacts/\(ids[0])", ["status": "closed"])
                try await crm.register(2, at: form)

                let answer = try await crm.client.get(path)
                #expect(answer.status == 200)
                func row(_ source: Int, _ name: String, _ operatorID: Int?, _ count: Int) -> JSON {
                    [
                        "source_id": JSON(source), "source_name": .string(name),
                        "operator_id": operatorID.map { JSON($0) } ?? .null,
                        "operator_name": operatorID == nil ? .null : "Operator", "contacts_count": JSON(count),
                    ]
                }
                let rows = [row(bot, "Bot", anna, 2), row(bot, "Bot", boris, 1), row(form, "Form", nil, 2)]
                #expect(Set(answer.json.elements) == Set(rows))
                #expect(answer.json.elements.count == 3)
            }
        }
    }
}
