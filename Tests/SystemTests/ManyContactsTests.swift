import Foundation
import TestSupport
import Testing

extension System {
    @Suite("Many contacts in one call")
    struct ManyContacts {
        @Test("Each entry has its own result, in the order of the request; one that fails spoils no other")
        func results() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource([try await crm.newOperator(maxLoad: 1)])
                let answer = try await crm.client.post(
                    "/api/v1/contacts/batch",
                    [
                        "contacts": [
                            ["source_id": JSON(source), "message": "0"], ["source_id": 999], ["message": "2"], "3",
                            ["source_id": JSON(source), "message": "4"],
                        ]
                    ])
                #expect(
                    answer.status == 200 && answer.json["registered"] == 2 && answer.json["failed"] == 3, "\(answer)")
                let results = answer.json["results"].elements
                #expect(results.map { $0["status"].int } == [201, 404, 422, 422, 201])
                #expect(
                    results.map { $0["error"]["code"].string } == [
                        nil, "source_not_found", "invalid_request", "invalid_request", nil,
                    ])
                #expect(results[2]["error"]["detail"][0]["loc"] == ["body", "contacts", 2, "source_id"])
                #expect(results[0]["contact"]["operator"]["current_load"] == 1)
                #expect(results[4]["contact"]["operator"] == .null && results[4]["contact"]["message"] == "4")
                let alone = try await crm.client.get("/api/v1/contacts/\(results[4]["contact"]["id"].int ?? 0)")
                #expect(alone.json == results[4]["contact"])
            }
        }

        @Test("Order within the call is order in the queue, also when it takes several transactions")
        func order() async throws {
            try await Deployment.open(environment: ["BATCH_LIMIT": "64"]) { crm in
                let source = try await crm.newSource()
                let contacts = (0..<1000).map { JSON.object(["source_id": JSON(source), "message": .string("\($0)")]) }
                let answer = try await crm.client.post("/api/v1/contacts/batch", ["contacts": .array(contacts)])
                #expect(answer.json["registered"] == 1000)
                #expect(
                    try await crm.psql.numbers("SELECT message::integer FROM contacts ORDER BY id") == Array(0..<1000))
                #expect(answer.json["results"].elements.compactMap { $0["contact"]["id"].int } == Array(1...1000))
                let transactions = try await crm.psql.number("SELECT count(DISTINCT created_at) FROM contacts")
                #expect(transactions == 16)
            }
        }

        @Test("With a key each entry counts once by its index, and what failed may be made good")
        func keyed() async throws {
            try await Deployment.open(instances: 3) { crm in
                let source = try await crm.newSource([try await crm.newOperator(maxLoad: 1000)])
                let contacts = (0..<300).map { number in
                    JSON.object([
                        "source_id": JSON(number == 7 ? source + 1 : source), "lead_phone": .string("+7\(number)"),
                    ])
                }
                let send = { @Sendable (number: Int) in
                    try await crm.client(number).post(
                        "/api/v1/contacts/batch", ["contacts": .array(contacts)], key: "k")
                }
                let first = try await inParallel(6, send)
                #expect(first.allSatisfy { $0.json["registered"] == 299 && $0.json["failed"] == 1 })
                #expect(Set(first.map(\.body)).count == 1)
                #expect(try await crm.psql.number("SELECT count(*) FROM contacts") == 299)
                _ = try await crm.newSource()
                let second = try await send(1)
                #expect(second.json["registered"] == 300 && second[header: "Idempotency-Replayed"] == nil)
                let third = try await send(2)
                #expect(third.body == second.body && third[header: "Idempotency-Replayed"] == "true")
                #expect(try await crm.psql.number("SELECT count(*) FROM contacts") == 300)
                let other = try await crm.client.post("/api/v1/contacts", contacts[0], key: "k")
                #expect(other.json["code"] == "idempotency_key_reused", "\(other)")
                let shorter = try await crm.client.post(
                    "/api/v1/contacts/batch", ["contacts": .array(Array(contacts[..<2]))], key: "k")
                #expect(
                    [shorter.json["code"], other.json["code"]]
                        == ["idempotency_key_reused", "idempotency_key_reused"])
            }
        }

        @Test("A call is bounded: 1 to 1,000 entries, 8 MiB")
        func bounds() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                for count in [0, 1001] {
                    let contacts = [JSON](repeating: ["source_id": JSON(source)], count: count)
                    let answer = try await crm.client.post("/api/v1/contacts/batch", ["contacts": .array(contacts)])
                    #expect(answer.status == 422, "\(answer)")
                }
                let long = JSON.object([
                    "source_id": JSON(source), "message": .string(String(repeating: "x", count: 65_000)),
                ])
                for (count, status) in [(120, 200), (130, 413)] {
                    let contacts = [JSON](repeating: long, count: count)
                    let answer = try await crm.client.post("/api/v1/contacts/batch", ["contacts": .array(contacts)])
                    #expect(answer.status == status, "\(answer)")
                    if status == 413 { #expect(answer.json["detail"] == "The body must not be larger than 8 MiB") }
                }
                #expect(try await crm.psql.number("SELECT count(*) FROM contacts") == 120)
            }
        }
    }
}
