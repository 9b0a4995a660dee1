import TestSupport
import Testing

extension System {
    @Suite("Deletes")
    struct Removal {
        @Test("An operator is taken from a source, and the contacts stay")
        func weight() async throws {
            try await Deployment.open(instances: 2) { crm in
                let (anna, boris) = (try await crm.newOperator(), try await crm.newOperator())
                let source = try await crm.newSource([anna, boris])
                let held = try await crm.register(4, at: source)
                let path = "/api/v1/sources/\(source)/distribution"
                let answer = try await crm.client.delete("\(path)/\(anna)")
                #expect(answer.status == 204 && answer.body.isEmpty && answer[header: "content-length"] == nil)
                #expect(try await crm.client.get(path).json.elements.map { $0["operator_id"].int } == [boris])
                #expect(try await (crm.contacts(of: anna) + crm.contacts(of: boris)).sorted() == held)
                let next = try await crm.client(1).post("/api/v1/contacts", ["source_id": JSON(source)])
                #expect(next.json["operator_id"] == JSON(boris))

                for (path, detail, code) in [
                    ("\(path)/\(anna)", "Operator \(anna) has no weight at source \(source)", "weight_not_found"),
                    ("\(path)/77", "Operator 77 not found", "operator_not_found"),
                    ("/api/v1/sources/77/distribution/\(anna)", "Source 77 not found", "source_not_found"),
                ] {
                    let answer = try await crm.client.delete(path)
                    #expect(answer.status == 404)
                    #expect(answer.json == ["detail": .string(detail), "code": .string(code)])
                }
            }
        }

        @Test("Who and what never had a contact is deleted, with the weights")
        func unused() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(), try await crm.newOperator())
                let (bot, form) = (try await crm.newSource([anna, boris]), try await crm.newSource([anna]))
                for path in ["operators/\(anna)", "sources/\(bot)"] {
                    #expect(try await crm.client.delete("/api/v1/\(path)").status == 204)
                    #expect(try await crm.client.get("/api/v1/\(path)").status == 404)
                    let again = try await crm.client.delete("/api/v1/\(path)")
                    #expect(again.status == 404 && again.json["code"].string?.hasSuffix("_not_found") == true)
                }
                #expect(try await crm.psql.number("SELECT count(*) FROM operator_source_weights") == 0)
                #expect(try await crm.client.delete("/api/v1/operators/x").status == 422)
                #expect(try await crm.registerOne(at: form)["operator_id"] == .null)
            }
        }

        @Test("Who and what ever had a contact stays, with the weights, also after a transfer and a repair")
        func inUse() async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(), try await crm.newOperator())
                let (source, waiting) = (try await crm.newSource([anna]), try await crm.newSource())
                let contact = try await crm.registerOne(at: source)["id"]
                try await crm.register(1, at: waiting)
                _ = try await crm.client.patch("/api/v1/contacts/\(contact)", ["operator_id": JSON(boris)])
                _ = try await crm.client.patch("/api/v1/contacts/\(contact)", ["status": "closed"])
                try await crm.psql.query("UPDATE distribution_counts SET contacts_count = 7")
                let repair = try await Command.run(["check", "--repair", "--database-url", crm.database.ownerURL])
                #expect(repair.status == 0, "\(repair)")
                for (path, detail) in [
                    ("operators/\(anna)", "Operator \(anna) has or had contacts"),
                    ("operators/\(boris)", "Operator \(boris) has or had contacts"),
                    ("sources/\(source)", "Source \(source) has contacts"),
                    ("sources/\(waiting)", "Source \(waiting) has contacts"),
                ] {
                    let answer = try await crm.client.delete("/api/v1/\(path)")
                    #expect(answer.status == 409)
                    #expect(answer.json == ["detail": .string(detail), "code": "in_use"])
                }
                #expect(try await crm.psql.number("SELECT count(*) FROM operator_source_weights") == 1)
            }
        }

        @Test(
            "Beside registrations deletes are answered clearly, and no contact is lost",
            arguments: ["on", "off"])
        func race(gate: String) async throws {
            try await Deployment.open(instances: 3, environment: ["ASSIGNMENT_GATE": gate]) { crm in
                let stays = try await crm.newOperator(maxLoad: 1000)
                let kept = try await crm.newSource([stays])
                for _ in 0..<10 {
                    let goes = try await crm.newOperator(maxLoad: 1000)
                    let source = try await crm.newSource([goes, stays])
                    try await crm.setWeights(of: kept, [goes: 1])
                    let answers = try await inParallel(24) { number in
                        switch number {
                        case 6: try await crm.client(1).delete("/api/v1/operators/\(goes)")
                        case 7: try await crm.client(2).delete("/api/v1/sources/\(source)")
                        default:
                            try await crm.client(number).post(
                                "/api/v1/contacts", ["source_id": JSON(number % 2 == 0 ? source : kept)])
                        }
                    }
                    #expect([204, 409].contains(answers[6].status), "\(answers[6])")
                    #expect([204, 409].contains(answers[7].status), "\(answers[7])")
                    for (number, answer) in answers.enumerated() where number != 6 && number != 7 {
                        let isGone = answer.status == 404 && answers[7].status == 204 && number % 2 == 0
                        #expect(answer.status == 201 || isGone, "\(answer)")
                        guard answer.status == 201 else { continue }
                        let stored = try await crm.client.get("/api/v1/contacts/\(answer.json["id"])")
                        #expect(stored.json["operator_id"] == answer.json["operator_id"], "\(stored)")
                        #expect(answers[6].status == 409 || answer.json["operator_id"] != JSON(goes))
                    }
                }
            }
        }
    }
}
