import TestSupport
import Testing

extension System {
    @Suite("The queue")
    struct Queue {
        @Test("Each source at which contacts wait is listed, with how many, since when and why")
        func reasons() async throws {
            try await Deployment.open { crm in
                let full = try await crm.newOperator(maxLoad: 1)
                let absent = try await crm.newOperator(isActive: false)
                let nobody = try await crm.newSource()
                let nobodyActive = try await crm.newSource([absent])
                let allFull = try await crm.newSource([full, absent])
                let served = try await crm.newSource([try await crm.newOperator()])
                for source in [nobody, nobodyActive, allFull, served] { try await crm.register(3, at: source) }
                try await crm.psql.query("UPDATE contacts SET created_at = created_at - interval '1 hour' WHERE id = 1")

                let queue = try await crm.client.get("/api/v1/queue")
                #expect(queue.status == 200)
                let expected: [(Int, JSON, JSON)] = [
                    (nobody, 3, "no_operators"), (nobodyActive, 3, "none_active"), (allFull, 2, "all_full"),
                ]
                #expect(queue.json.elements.map { $0["source_id"].int } == expected.map(\.0))
                for (row, (source, waiting, reason)) in zip(queue.json.elements, expected) {
                    #expect(row.keys == Shape.queue)
                    #expect(row["waiting"] == waiting && row["reason"] == reason, "\(row)")
                    let stored = try await crm.client.get("/api/v1/sources/\(source)").json
                    #expect(row["source_name"] == stored["name"])
                    #expect(Shape.isTime(row["oldest_created_at"]))
                }
                let ages = queue.json.elements.compactMap { $0["oldest_age_seconds"].double }
                #expect(ages.count == 3 && ages[0] >= 3600 && ages[1...].allSatisfy { 0 <= $0 && $0 < 300 }, "\(ages)")
            }
        }

        @Test("Where an operator has room by now, there is no reason, until the contacts are let in")
        func room() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "60"]) { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let source = try await crm.newSource([anna])
                try await crm.register(2, at: source)
                try await crm.psql.query("UPDATE operators SET max_load = 2")
                let row = try await crm.client.get("/api/v1/queue").json[0]
                #expect(row["source_id"] == JSON(source) && row["reason"] == .null)
                try await crm.register(1, at: source)
                #expect(try await crm.client.get("/api/v1/queue").json[0]["reason"] == "all_full")
            }
        }

        @Test("A source's queue has its waiting contacts in their order, with their places, in pages")
        func places() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let (source, other) = (try await crm.newSource([anna]), try await crm.newSource())
                let contacts = try await crm.register(6, at: source)
                try await crm.register(2, at: other)

                let path = "/api/v1/sources/\(source)/queue"
                let queue = try await crm.client.get(path)
                #expect(queue.status == 200 && queue[header: "link"] == nil)
                #expect(queue.json.elements.map { $0["id"].int } == Array(contacts.dropFirst()))
                #expect(queue.json.elements.map { $0["position"].int } == Array(1...5))
                for row in queue.json.elements {
                    #expect(row.keys == Shape.contactWithDetails.union(["position"]))
                    let shown = try await crm.client.get("/api/v1/contacts/\(row["id"])").json
                    #expect(shown.keys.allSatisfy { row[$0] == shown[$0] })
                }
                let first = try await crm.client.get(path + "?limit=2")
                #expect(first[header: "link"] == "<\(path)?limit=2&after=\(contacts[2])>; rel=\"next\"")
                let second = try await crm.client.get(path + "?limit=2&after=\(contacts[2])")
                #expect(second.json.elements == Array(queue.json.elements[2..<4]))

                // The first two are let in: those behind them move up, also on a page that begins after one of them.
                try await crm.psql.query("UPDATE operators SET max_load = 3")
                try await crm.register(1, at: source)
                let later = try await crm.client.get(path + "?after=\(contacts[2])").json.elements
                #expect(later.map { $0["position"].int } == [1, 2, 3, 4])
                #expect(later.first?["id"].int == contacts[3])
            }
        }

        @Test("An unknown source is not found, an empty queue is empty, and what does not fit is a fault")
        func badInput() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let empty = try await crm.client.get("/api/v1/sources/\(source)/queue")
                #expect(empty.status == 200 && empty.json == [])
                #expect(try await crm.client.get("/api/v1/queue").json == [])
                let unknown = try await crm.client.get("/api/v1/sources/77/queue")
                #expect(unknown.status == 404 && unknown.json["code"] == "source_not_found")
                for path in ["queue?limit=0", "queue?x=1", "sources/\(source)/queue?limit=1001", "sources/x/queue"] {
                    #expect(try await crm.client.get("/api/v1/\(path)").status == 422, "\(path)")
                }
            }
        }
    }
}
