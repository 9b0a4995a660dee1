import TestSupport
import Testing

extension System {
    @Suite("The load limit")
    struct LoadLimit {
        enum Writers: CaseIterable {
            case threeInstances
            case threeInstancesWithoutTheGate
            case threeInstancesAndPsql

            var environment: [String: String] {
                // Without the gate instances lose transactions to each other and retry; patience is not tested here.
                ["REQUEST_TIMEOUT": "60", "ASSIGNMENT_GATE": self == .threeInstancesWithoutTheGate ? "off" : "on"]
            }
        }

        @Test(
            "In 50 rounds of 200 parallel registrations, with closes and transfers, no operator is ever overloaded and every place is filled",
            arguments: Writers.allCases)
        func neverOverloaded(_ writers: Writers) async throws {
            try await Deployment.open(instances: 3, environment: writers.environment) { crm in
                // Operators 0 to 11 share three sources in different ways; the last two only get transfers.
                let operators = try await inParallel(14) { _ in try await crm.newOperator(maxLoad: 3) }.sorted()
                let sources = [
                    try await crm.newSource(Array(operators[0..<6])),
                    try await crm.newSource(Array(operators[4..<9])),
                    try await crm.newSource(Array(operators[7..<12])),
                ]
                try await LoadWatch(crm.database).watching {
                    for round in 1...50 {
                        try await playRound(
                            crm, sources: sources, operators: operators, psqlWrites: writers == .threeInstancesAndPsql)
                        // psql frees places without a word to the service, which fills them with its next work.
                        if writers == .threeInstancesAndPsql {
                            for source in sources { _ = try await crm.registerOne(at: source) }
                        }
                        try await expectEveryPlaceFilled(crm, operators: operators[..<12])
                        if writers != .threeInstancesAndPsql {
                            #expect(try await crm.psql.number("SELECT count(*) FROM contacts") == 200 * round)
                        }
                    }
                }
            }
        }

        @Test(
            "So it is with a weight's own limit: in 15 rounds no operator ever holds more of a source, and every place is filled",
            arguments: Writers.allCases)
        func neverOverloadedOfASource(_ writers: Writers) async throws {
            try await Deployment.open(instances: 3, environment: writers.environment) { crm in
                let operators = try await inParallel(10) { _ in try await crm.newOperator(maxLoad: 100) }.sorted()
                var sources: [Int] = []
                for range in [0..<5, 3..<8, 6..<10] {
                    let source = try await crm.newSource(Array(operators[range]))
                    try await crm.psql.query(
                        "UPDATE operator_source_weights SET max_load = 2 WHERE source_id = \(source)")
                    sources.append(source)
                }
                try await LoadWatch(crm.database).watching { [sources] in
                    for _ in 1...15 {
                        try await playRound(
                            crm, sources: sources, operators: operators, psqlWrites: writers == .threeInstancesAndPsql)
                        for source in sources { _ = try await crm.registerOne(at: source) }
                        let notFull = try await crm.psql.query(
                            """
                            SELECT source_id, operator_id, active_count
                            FROM operator_source_weights LEFT JOIN distribution_counts USING (source_id, operator_id)
                            WHERE active_count IS DISTINCT FROM 2
                            """)
                        #expect(notFull.isEmpty, "source, operator and count: \(notFull)")
                    }
                }
            }
        }

        /// With more contacts waiting at each source than its operators have places, all of them are full.
        private func expectEveryPlaceFilled(_ crm: Deployment, operators: ArraySlice<Int>) async throws {
            let ids = operators.map(String.init).joined(separator: ", ")
            let notFull = try await crm.psql.query(
                "SELECT id, current_load FROM operators WHERE id IN (\(ids)) AND current_load <> 3")
            #expect(notFull.isEmpty, "operators with id and load")
            let waitingSources = try await crm.psql.number(
                "SELECT count(DISTINCT source_id) FROM contacts WHERE status = 'active' AND operator_id IS NULL")
            #expect(waitingSources == 3)
        }

        /// 200 registrations, with half of the contacts held being closed or transferred meanwhile.
        private func playRound(_ crm: Deployment, sources: [Int], operators: [Int], psqlWrites: Bool) async throws {
            enum Call {
                case register(source: Int)
                case close(contact: Int)
                case transfer(contact: Int, to: Int)
            }
            let held = try await crm.psql.numbers(
                "SELECT id FROM contacts WHERE status = 'active' AND operator_id IS NOT NULL ORDER BY random() LIMIT 20"
            )
            var calls = (0..<200).map { Call.register(source: sources[$0 % 3]) }
            calls += held.prefix(12).map { .close(contact: $0) }
            calls += held.dropFirst(12).map { .transfer(contact: $0, to: operators.randomElement()!) }
            calls.shuffle()
            async let psqlIsDone: Void = psqlWrites ? writeFromPsql(crm, sources: sources, operators: operators) : ()
            _ = try await inParallel(calls.count, width: calls.count) { [calls] number in
                let client = crm.client(number)
                switch calls[number] {
                case .register(let source):
                    let answer = try await client.post("/api/v1/contacts", ["source_id": JSON(source)])
                    #expect(answer.status == 201, "\(answer)")
                case .close(let contact):
                    let answer = try await client.patch("/api/v1/contacts/\(contact)", ["status": "closed"])
                    #expect(answer.status == 200, "\(answer)")
                case .transfer(let contact, let operatorID):
                    let answer = try await client.patch(
                        "/api/v1/contacts/\(contact)", ["operator_id": JSON(operatorID)])
                    #expect([200, 409].contains(answer.status), "\(answer)")
                }
            }
            try await psqlIsDone
        }

        /// Inserts and updates contacts in READ COMMITTED, with no regard for limits.
        private func writeFromPsql(_ crm: Deployment, sources: [Int], operators: [Int]) async throws {
            let psql = try Psql(crm.database.url)
            let held = "SELECT id FROM contacts WHERE status = 'active' AND operator_id IS NOT NULL"
            for _ in 0..<10 {
                let (source, anOperator) = (sources.randomElement()!, operators.randomElement()!)
                for statement in [
                    """
                    WITH l AS (INSERT INTO leads DEFAULT VALUES RETURNING id)
                    INSERT INTO contacts (lead_id, source_id, operator_id) SELECT id, \(source), \(anOperator) FROM l
                    """,
                    "UPDATE contacts SET status = 'closed' WHERE id IN (\(held) ORDER BY random() LIMIT 1)",
                    """
                    UPDATE contacts SET status = 'active' WHERE id IN (
                        SELECT id FROM contacts WHERE status = 'closed' ORDER BY random() LIMIT 2)
                    """,
                    "UPDATE contacts SET operator_id = \(anOperator) WHERE id IN (\(held) ORDER BY random() LIMIT 1)",
                ] {
                    do {
                        try await psql.query(statement)
                    } catch let refusal as Psql.Failure {
                        // A full operator, or a deadlock that PostgreSQL resolved at the cost of this statement.
                        #expect(["23514", "40P01"].contains(refusal.sqlState), "\(refusal)")
                    }
                }
            }
        }

        @Test("An operator of two sources, loaded through two instances, has one limit", arguments: ["on", "off"])
        func twoSources(gate: String) async throws {
            try await Deployment.open(
                instances: 2, environment: ["ASSIGNMENT_GATE": gate, "REQUEST_TIMEOUT": "60"]
            ) { crm in
                let anna = try await crm.newOperator(maxLoad: 7)
                let sources = [try await crm.newSource([anna]), try await crm.newSource([anna])]
                try await LoadWatch(crm.database).watching {
                    let assigned = try await inParallel(200, width: 200) { number in
                        let answer = try await crm.client(number).post(
                            "/api/v1/contacts", ["source_id": JSON(sources[number % 2])])
                        #expect(answer.status == 201, "\(answer)")
                        return answer.json["operator_id"] == JSON(anna)
                    }
                    #expect(assigned.count { $0 } == 7)
                    let held = try await crm.contacts(of: anna)
                    #expect(held.count == 7)
                    _ = try await inParallel(7) { number in
                        let answer = try await crm.client(number).patch(
                            "/api/v1/contacts/\(held[number])", ["status": "closed"])
                        #expect(answer.status == 200, "\(answer)")
                    }
                    #expect(try await crm.contacts(of: anna).count == 7)
                }
            }
        }
    }
}
