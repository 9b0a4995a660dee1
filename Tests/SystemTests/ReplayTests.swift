import Distribution
import Model
import TestSupport
import Testing

extension System {
    /// What is kept of how contacts were assigned, after instances have worked beside each other.
    @Suite("Replay")
    struct Replay {
        @Test("From what is kept of 10,000 decisions of three instances at once the same operators are chosen again")
        func replay() async throws {
            try await Deployment.open(instances: 3) { crm in
                try await crm.psql.query(
                    "INSERT INTO operators (name, max_load) SELECT n, 800 + 7 * n FROM generate_series(1, 12) AS n")
                try await crm.psql.query(
                    """
                    INSERT INTO sources (name, strategy)
                    VALUES ('a', 'weighted_random'), ('b', 'smooth_weighted'), ('c', 'least_loaded')
                    """)
                try await crm.psql.query(
                    """
                    INSERT INTO operator_source_weights (source_id, operator_id, weight, max_load)
                    SELECT s, o, 1 + o * s % 7, CASE o % 4 WHEN 0 THEN 200 END
                    FROM generate_series(1, 3) AS s, generate_series(1, 12) AS o WHERE (o + s) % 5 > 0
                    """)
                try await work(crm)
                try await check(crm.psql)
            }
        }

        /// Registers contacts at the three sources, and closes, requeues and transfers some of those that are there, all at once.
        private func work(_ crm: Deployment) async throws {
            let bodies = (0..<120).map { batch in
                (0..<100).map { ["source_id": JSON((batch + $0) % 3 + 1), "priority": JSON($0 % 3)] as JSON }
            }
            _ = try await inParallel(120 * 20, width: 12) { number in
                let client = crm.client(number)
                if number % 20 == 0 {
                    let answer = try await client.post(
                        "/api/v1/contacts/batch", ["contacts": .array(bodies[number / 20])])
                    #expect(answer.json["registered"] == 100, "\(answer)")
                    return
                }
                let contact = "/api/v1/contacts/\(number * 7919 % (number * 5 + 1) + 1)"
                let answer =
                    switch number % 4 {
                    case 0: try await client.post("\(contact)/requeue", [:])
                    case 1: try await client.patch(contact, ["operator_id": JSON(number % 12 + 1)])
                    default: try await client.patch(contact, ["status": "closed"])
                    }
                // What is closed or full by now is refused, and what is not there yet.
                #expect([200, 404, 409].contains(answer.status), "\(answer)")
            }
        }

        private func check(_ psql: Psql) async throws {
            let events = try await psql.query(
                """
                SELECT decision_id, contact_id, operator_id FROM contact_events
                WHERE status = 'active' AND operator_id IS NOT NULL
                """)
            let ofDecision = Dictionary(grouping: events) { $0[0] }
            var choices = 0
            for row in try await psql.query("SELECT id, encode(record, 'hex') FROM assignment_decisions") {
                let record = try DeskRecord(bytes: bytes(row[1]))
                for choice in record.choices {
                    choices += 1
                    #expect(choice.again == choice.recorded, "decision \(row[0]), contact \(choice.contact)")
                }
                // What was recorded is what happened.
                let given = record.steps.reduce(into: [ContactID: OperatorID]()) { given, step in
                    if case .given(let contact, let id, _) = step.event { given[contact] = id }
                }
                for event in ofDecision[row[0], default: []] {
                    #expect(given[ContactID(Int64(event[1])!)] == OperatorID(Int64(event[2])!), "decision \(row[0])")
                }
            }
            #expect(choices >= 10_000)
            #expect(
                try await psql.number("SELECT count(*) FROM contact_events WHERE cause = 'sql' OR cause IS NULL") == 0)
            let causes = "SELECT count(DISTINCT cause) FROM contact_events WHERE status = 'active'"
            #expect(try await psql.number(causes) == 4, "registered, place_freed, transfer and requeue")
        }

        private func bytes(_ hex: String) -> [UInt8] {
            let digits = hex.utf8.map { UInt8($0 < 0x3a ? $0 - 0x30 : $0 - 0x57) }
            return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        }
    }
}
