import TestSupport
import Testing

extension System {
    @Suite("Waiting contacts")
    struct Waiting {
        @Test("When an operator is activated, the oldest of 500 waiting contacts fill the places, at once, and no more")
        func activation() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 40, isActive: false)
                let source = try await crm.newSource([anna])
                let waiting = try await crm.register(500, at: source)
                let activated = try await crm.client.patch("/api/v1/operators/\(anna)", ["is_active": true])
                #expect(activated.status == 200)
                #expect(activated.json["current_load"] == 40)
                #expect(try await crm.contacts(of: anna) == Array(waiting.prefix(40)))
                #expect(
                    try await crm.psql.numbers("SELECT id FROM contacts WHERE operator_id IS NULL ORDER BY id")
                        == Array(waiting.dropFirst(40)))
            }
        }

        /// What makes room for two contacts.
        enum Event: String, CaseIterable {
            case raisedMaxLoad, activation, postedDistribution, putDistribution, closing, transfer
        }

        @Test("Whatever makes room lets the oldest waiting contacts in at once, and no more", arguments: Event.allCases)
        func room(_ event: Event) async throws {
            try await Deployment.open { crm in
                let (anna, boris) = (try await crm.newOperator(maxLoad: 2), try await crm.newOperator(maxLoad: 2))
                let source = try await crm.newSource([anna])
                let held = try await crm.register(2, at: source)
                let waiting = try await crm.register(5, at: source)
                #expect(try await crm.contacts(of: anna) == held)

                let distribution = "/api/v1/sources/\(source)/distribution"
                let withBoris: JSON = ["operator_weights": [["operator_id": JSON(boris)]]]
                switch event {
                case .raisedMaxLoad:
                    let answer = try await crm.client.patch("/api/v1/operators/\(anna)", ["max_load": 4])
                    #expect(answer.json["current_load"] == 4)
                    #expect(try await crm.contacts(of: anna) == held + waiting.prefix(2))
                case .activation:
                    let path = "/api/v1/operators/\(boris)"
                    _ = try await crm.client.patch(path, ["is_active": false])
                    #expect(try await crm.client.post(distribution, withBoris).status == 201)
                    #expect(try await crm.contacts(of: boris).isEmpty)
                    #expect(try await crm.client.patch(path, ["is_active": true]).json["current_load"] == 2)
                    #expect(try await crm.contacts(of: boris) == Array(waiting.prefix(2)))
                case .postedDistribution:
                    #expect(try await crm.client.post(distribution, withBoris).status == 201)
                    #expect(try await crm.contacts(of: boris) == Array(waiting.prefix(2)))
                case .putDistribution:
                    #expect(try await crm.client.put(distribution, withBoris).status == 200)
                    #expect(try await crm.contacts(of: boris) == Array(waiting.prefix(2)))
                    // Anna keeps what she has but is no longer one of the source's operators.
                    _ = try await crm.client.patch("/api/v1/contacts/\(held[0])", ["status": "closed"])
                    #expect(try await crm.contacts(of: anna) == [held[1]])
                case .closing:
                    for (id, next) in zip(held, waiting) {
                        _ = try await crm.client.patch("/api/v1/contacts/\(id)", ["status": "closed"])
                        #expect(try await crm.contacts(of: anna).last == next)
                    }
                    #expect(try await crm.contacts(of: anna) == Array(waiting.prefix(2)))
                case .transfer:
                    for id in held {
                        let answer = try await crm.client.patch("/api/v1/contacts/\(id)", ["operator_id": JSON(boris)])
                        #expect(answer.status == 200)
                    }
                    #expect(try await crm.contacts(of: boris) == held)
                    #expect(try await crm.contacts(of: anna) == Array(waiting.prefix(2)))
                }
                let left = try await crm.client.get("/api/v1/contacts?waiting=true").json.elements
                #expect(left.compactMap { $0["id"].int } == Array(waiting.dropFirst(2)))
            }
        }

        @Test("Of the contacts that wait at several sources for one operator, the oldest comes first")
        func oldestOfAllSources() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let sources = [try await crm.newSource([anna]), try await crm.newSource([anna])]
                var contacts: [Int] = []
                for number in 0..<7 {
                    contacts.append(try #require(await crm.registerOne(at: sources[number % 2])["id"].int))
                }
                for (contact, next) in zip(contacts, contacts.dropFirst()) {
                    _ = try await crm.client.patch("/api/v1/contacts/\(contact)", ["status": "closed"])
                    #expect(try await crm.contacts(of: anna) == [next])
                }
            }
        }

        @Test(
            "A new contact does not overtake one that waits and that the same operator could take, be it at another source",
            arguments: [false, true])
        func noOvertaking(atAnotherSource: Bool) async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let sources = [try await crm.newSource([anna]), try await crm.newSource([anna])]
                let held = try await crm.register(1, at: sources[0])
                let waiting = try await crm.register(3, at: sources[0])
                // The service is not told of the room that psql makes.
                try await crm.psql.query("UPDATE operators SET max_load = 3 WHERE id = \(anna)")
                let new = try await crm.registerOne(at: sources[atAnotherSource ? 1 : 0])
                #expect(new["operator_id"] == .null)
                #expect(try await crm.contacts(of: anna) == held + waiting.prefix(2))
            }
        }

        @Test("Whoever waits beside room that psql makes is let in though nobody calls", arguments: [1, 3])
        func sweep(instances: Int) async throws {
            try await Deployment.open(instances: instances, environment: ["SWEEP_INTERVAL": "0.5"]) { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let source = try await crm.newSource([anna])
                let contacts = try await crm.register(4, at: source)
                try await crm.psql.query("UPDATE contacts SET status = 'closed' WHERE id = \(contacts[0])")
                try await eventually("the oldest is let in") {
                    try await crm.contacts(of: anna) == [contacts[1]]
                }
                try await crm.psql.query("UPDATE operators SET max_load = 2 WHERE id = \(anna)")
                try await eventually("the next one is let in") {
                    try await crm.contacts(of: anna) == [contacts[1], contacts[2]]
                }
            }
        }

        @Test("A reopened contact does not overtake those that wait")
        func noOvertakingByReopening() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 1)
                let source = try await crm.newSource([anna])
                let first = try await crm.register(1, at: source)[0]
                let waiting = try await crm.register(2, at: source)
                let path = "/api/v1/contacts/\(first)"
                _ = try await crm.client.patch(path, ["status": "closed"])
                #expect(try await crm.contacts(of: anna) == [waiting[0]])
                let reopened = try await crm.client.patch(path, ["status": "active"])
                #expect(reopened.status == 200)
                #expect(reopened.json["operator_id"] == .null)
                #expect(try await crm.contacts(of: anna) == [waiting[0]])
            }
        }
    }
}
