import CRM
import Model
import Postgres
import Store
import TestSupport
import Testing

/// What strategies, shares and priorities are to the lane's transactions.
@Suite struct StrategyLaneTests {
    @Test("Of more who wait than one transaction lets in, those go first who have the higher priority")
    func admissionByPriority() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql, maxLoad: 2500)
            try await psql.query("UPDATE operators SET is_active = false")
            try await psql.query("INSERT INTO leads DEFAULT VALUES")
            try await psql.query(
                "INSERT INTO contacts (lead_id, source_id, priority) SELECT 1, 1, n * 7 % 10 FROM generate_series(1, 5000) AS n"
            )
            try await withCRM(on: database) { crm in
                _ = try await crm.updateOperator(OperatorID(1), OperatorPatch(isActive: true))
                try await eventually("half are let in") {
                    try await psql.number("SELECT count(*) FROM contacts WHERE operator_id = 1") == 2500
                }
                #expect(
                    try await psql.number("SELECT min(priority) FROM contacts WHERE operator_id = 1") == 5)
                #expect(
                    try await psql.number("SELECT max(priority) FROM contacts WHERE operator_id IS NULL") == 4)
                let firsts = try await psql.query(
                    """
                    SELECT count(*), count(*) FILTER (WHERE c.priority >= 6) FROM contact_events AS e JOIN contacts AS c ON c.id = e.contact_id
                    WHERE e.operator_id IS NOT NULL GROUP BY e.created_at ORDER BY e.created_at LIMIT 1
                    """)
                #expect(firsts == [["2001", "2000"]])
                // A newcomer of high priority goes before all who wait.
                let new = NewContact(
                    sourceID: SourceID(1), identity: LeadIdentity(externalID: nil, phone: nil, email: nil),
                    leadName: nil,
                    message: nil, priority: 9)
                let newcomer = try await crm.register(new).contact
                _ = try await crm.updateContact(ContactID(7), ContactPatch(status: .closed))
                #expect(
                    try await psql.number("SELECT count(*) FROM contacts WHERE id = \(newcomer.id) AND operator_id = 1")
                        == 1)
            }
        }
    }

    @Test("A source that is served by chance writes nothing beside its contacts and counters")
    func nothingIsRemembered() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            let version = "SELECT xmin::text || ctid::text FROM operator_source_weights"
            let before = try await psql.query(version)
            try await withCRM(on: database) { crm in _ = try await crm.register(contact(nil)) }
            #expect(try await psql.query(version) == before)
            try await psql.query("UPDATE sources SET strategy = 'smooth_weighted'")
            try await withCRM(on: database) { crm in _ = try await crm.register(contact(nil)) }
            #expect(try await psql.query(version) != before)
        }
    }

    @Test("A weight that somebody keeps locked stops nobody; the credits begin anew")
    func lockedWeight() async throws {
        try await TestDatabase.with { database in
            let (psql, other) = (try Psql(database.url), try Psql(database.url))
            try await addDesk(psql)
            try await psql.query("INSERT INTO operators (name, max_load) VALUES ('p', 1000)")
            try await psql.query("INSERT INTO operator_source_weights (operator_id, source_id) VALUES (2, 1)")
            try await psql.query("UPDATE sources SET strategy = 'smooth_weighted'")
            try await withCRM(on: database) { crm in
                for _ in 0..<3 { _ = try await crm.register(contact(nil)) }
                try await other.query("BEGIN")
                try await other.query("UPDATE operator_source_weights SET weight = 3 WHERE operator_id = 1")
                for _ in 0..<3 { _ = try await crm.register(contact(nil)) }
                try await other.query("COMMIT")
                for _ in 0..<8 { _ = try await crm.register(contact(nil)) }
                #expect(
                    try await psql.numbers(
                        "SELECT count(*) FROM contacts WHERE id > 6 GROUP BY operator_id ORDER BY operator_id") == [
                            6, 2,
                        ])
                #expect(try await psql.number("SELECT sum(credit) FROM operator_source_weights") == 0)
            }
        }
    }

    @Test("Who waits for a share that is full does not wait beside room")
    func backlog() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await psql.query("UPDATE operator_source_weights SET max_load = 1")
            try await psql.query("INSERT INTO leads DEFAULT VALUES")
            try await psql.query(
                "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1), (1, 1, NULL)")
            var connection = try Connection(ConnectionConfiguration(url: database.url))
            #expect(try Fetch.backlog().run(on: &connection) == [])
            try await psql.query("UPDATE operator_source_weights SET max_load = 2")
            #expect(try Fetch.backlog().run(on: &connection) == [SourceID(1)])
        }
    }
}
