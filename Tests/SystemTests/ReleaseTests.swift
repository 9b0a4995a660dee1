import Foundation
import TestSupport
import Testing

extension System {
    @Suite("Leaving, and coming back")
    struct Releases {
        @Test("A release gives each contact to somebody else or lets it wait at its place, some in each transaction")
        func all() async throws {
            try await Deployment.open(instances: 3) { crm in
                let leaver = try await crm.newOperator(maxLoad: 1000)
                let source = try await crm.newSource([leaver])
                let held = try await crm.register(500, at: source)
                let other = try await crm.newOperator(maxLoad: 120)
                try await crm.setWeights(of: source, [other: 1])
                _ = try await crm.client.patch("/api/v1/contacts/\(held[499])", ["priority": 9])
                _ = try await crm.client.patch("/api/v1/operators/\(leaver)", ["is_active": false])
                let late = try await crm.register(30, at: source)
                let answer = try await crm.client.post("/api/v1/operators/\(leaver)/release", [:])
                #expect(answer.json == ["released": 500, "reassigned": 90, "waiting": 410], "\(answer)")
                let given = held[..<89] + [held[499]] + late
                #expect(try await crm.contacts(of: other) == given.sorted())
                let largest = try await crm.psql.number(
                    "SELECT max(n) FROM (SELECT count(*) AS n FROM contacts WHERE updated_at IS NOT NULL GROUP BY updated_at) AS t"
                )
                #expect(largest <= 200)
                // The first in the queue is the first to get a place.
                _ = try await crm.client.patch("/api/v1/operators/\(other)", ["max_load": 121])
                #expect(try await crm.contacts(of: other).contains(held[89]))
                let again = try await crm.client.post("/api/v1/operators/\(leaver)/release", [:])
                #expect(again.json == ["released": 0, "reassigned": 0, "waiting": 0])
            }
        }

        @Test("Of an active operator only the contacts named are released, and none comes back in the same call")
        func some() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "3600"]) { crm in
                let operatorID = try await crm.newOperator(maxLoad: 100)
                let source = try await crm.newSource([operatorID])
                let held = try await crm.register(6, at: source)
                let closed = held[5]
                _ = try await crm.client.patch("/api/v1/contacts/\(closed)", ["status": "closed"])
                let named = JSON.array([JSON(held[1]), JSON(held[3]), JSON(closed), 999])
                let answer = try await crm.client.post(
                    "/api/v1/operators/\(operatorID)/release", ["contact_ids": named], key: "k")
                #expect(answer.json == ["released": 2, "reassigned": 0, "waiting": 2], "\(answer)")
                #expect(try await crm.contacts(of: operatorID) == [held[0], held[2], held[4]])
                let replay = try await crm.client.post(
                    "/api/v1/operators/\(operatorID)/release", ["contact_ids": named], key: "k")
                #expect(replay.body == answer.body && replay[header: "Idempotency-Replayed"] == "true")
                let missing = try await crm.client.post("/api/v1/operators/999/release", [:])
                #expect(missing.status == 404 && missing.json["code"] == "operator_not_found")
                let invalid = try await crm.client.post(
                    "/api/v1/operators/\(operatorID)/release", ["contact_ids": ["x"]])
                #expect(invalid.status == 422)
                // Work is conserved: after the call the operator is as available as any.
                _ = try await crm.registerOne(at: source)
                #expect(try await crm.contacts(of: operatorID).count == 6)
            }
        }

        @Test("Of releases at once with one key each contact counts once, and all have one answer")
        func atOnce() async throws {
            try await Deployment.open(instances: 3) { crm in
                let leaver = try await crm.newOperator(maxLoad: 1000)
                let source = try await crm.newSource([leaver])
                try await crm.register(450, at: source)
                _ = try await crm.client.patch("/api/v1/operators/\(leaver)", ["is_active": false])
                let path = "/api/v1/operators/\(leaver)/release"
                let answers = try await inParallel(9) { try await crm.client($0).post(path, [:], key: "k") }
                #expect(Set(answers.map(\.text)) == [#"{"released":450,"reassigned":0,"waiting":450}"#])
                #expect(answers.count { $0[header: "Idempotency-Replayed"] == nil } == 1)
                // What the operator has since is another call's.
                try await crm.psql.query("UPDATE contacts SET operator_id = \(leaver) WHERE id = 1")
                #expect(try await crm.client.post(path, [:], key: "k").body == answers[0].body)
                let other = try await crm.client.post("/api/v1/contacts", ["source_id": JSON(source)], key: "k")
                #expect(other.json["code"] == "idempotency_key_reused")
                #expect(try await crm.contacts(of: leaver) == [1])
            }
        }

        @Test("No part of a release gives an active operator back what another part has taken")
        func parts() async throws {
            try await Deployment.open(environment: ["SWEEP_INTERVAL": "3600"]) { crm in
                let operatorID = try await crm.newOperator(maxLoad: 1000)
                let source = try await crm.newSource([operatorID])
                try await crm.register(450, at: source)
                let answer = try await crm.client.post("/api/v1/operators/\(operatorID)/release", [:])
                #expect(answer.json == ["released": 450, "reassigned": 0, "waiting": 450], "\(answer)")
                #expect(try await crm.contacts(of: operatorID).isEmpty)
            }
        }

        @Test("A release whose instance dies half way loses no contact, and the same call goes on with the rest")
        func killed() async throws {
            try await Deployment.open(instances: 2) { crm in
                let leaver = try await crm.newOperator(maxLoad: 10_000)
                let source = try await crm.newSource([leaver])
                try await crm.register(3000, at: source)
                _ = try await crm.client.patch("/api/v1/operators/\(leaver)", ["is_active": false])
                let other = try await crm.newOperator(maxLoad: 1000)
                try await crm.setWeights(of: source, [other: 1])
                let path = "/api/v1/operators/\(leaver)/release"
                async let first = try? crm.instances[0].client.post(path, [:], key: "k")
                try await eventually("some are released") {
                    try await crm.psql.number("SELECT current_load FROM operators WHERE id = \(leaver)") < 3000
                }
                try await crm.instances[0].kill()
                _ = await first
                let second = try await crm.instances[1].client.post(path, [:], key: "k")
                #expect(second.status == 200, "\(second)")
                #expect(try await crm.contacts(of: leaver).isEmpty)
                #expect(try await crm.contacts(of: other) == Array(1...1000))
                #expect(
                    try await crm.psql.number(
                        "SELECT count(*) FROM contacts WHERE status = 'active' AND operator_id IS NULL") == 2000)
            }
        }

        @Test(
            "A contact that is requeued goes to another operator, or back if nobody else can have it and none waits before it"
        )
        func requeue() async throws {
            try await Deployment.open { crm in
                let (one, other) = (try await crm.newOperator(maxLoad: 1), try await crm.newOperator(maxLoad: 1))
                let source = try await crm.newSource([one])
                let first = try await crm.register(1, at: source)[0]
                let path = "/api/v1/contacts/\(first)/requeue"
                // Nobody else.
                #expect(try await crm.client.send("POST", path, json: nil).json["operator_id"] == JSON(one))
                // Somebody younger waits, and still nobody else.
                let second = try await crm.register(1, at: source)[0]
                #expect(try await crm.client.send("POST", path, json: nil).json["operator_id"] == JSON(one))
                // Somebody else: the place goes to who waits.
                try await crm.setWeights(of: source, [other: 1])
                _ = try await crm.client.patch("/api/v1/operators/\(other)", ["is_active": false])
                try await crm.psql.query("UPDATE contacts SET operator_id = NULL WHERE id = \(second)")
                _ = try await crm.client.patch("/api/v1/operators/\(other)", ["is_active": true])
                #expect(try await crm.contacts(of: other) == [second])
                _ = try await crm.client.patch("/api/v1/operators/\(other)", ["max_load": 2])
                #expect(try await crm.client.send("POST", path, json: nil).json["operator_id"] == JSON(other))
                #expect(try await crm.contacts(of: one).isEmpty)
                // An older one waits.
                _ = try await crm.client.patch("/api/v1/operators/\(one)", ["is_active": false])
                let third = try await crm.register(1, at: source)[0]
                _ = try await crm.client.patch("/api/v1/contacts/\(third)", ["priority": 5])
                let answer = try await crm.client.send("POST", path, json: nil)
                #expect(answer.json["operator_id"] == .null, "\(answer)")
                #expect(try await crm.contacts(of: other) == [second, third])
                // It waits: nothing to do, and nothing to keep. Closed: nothing to give.
                #expect(try await crm.client.post(path, [:], key: "k").json["operator_id"] == .null)
                #expect(try await crm.psql.number("SELECT count(*) FROM idempotency_keys") == 0)
                _ = try await crm.client.patch("/api/v1/contacts/\(first)", ["status": "closed"])
                #expect(try await crm.client.send("POST", path, json: nil).json["code"] == "contact_closed")
                let missing = try await crm.client.send("POST", "/api/v1/contacts/999/requeue", json: nil)
                #expect(missing.json["code"] == "contact_not_found")
            }
        }
    }
}
