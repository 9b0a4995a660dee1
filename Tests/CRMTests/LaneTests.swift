import Assignment
import Foundation
import Logging
import Metrics
import Model
import Postgres
import ServiceLifecycle
import TestSupport
import Testing

@testable import CRM

/// The Dispatcher and its transaction on a real PostgreSQL.
@Suite struct LaneTests {
    private func register(_ messages: [String], _ crm: CRM) -> [Task<ContactDetails, any Error>] {
        messages.map { message in Task { try await crm.register(contact(nil, message: message)) } }
    }

    @Test("A command that the database refuses fails alone; the others of its batch are carried out")
    func oneBadCommandFailsAlone() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await psql.query("ALTER TABLE contacts ADD CONSTRAINT no_poison CHECK (message <> 'poison')")
            try await withCRM(on: database) { crm in
                let messages = (0..<40).map { $0 == 17 ? "poison" : "\($0)" }
                var tasks: [Task<ContactDetails, any Error>] = []
                try await whileGateIsHeld(crm, psql) {
                    tasks = register(messages, crm)
                    try await eventually("commands queue") { crm.waitingCommands == 40 }
                }
                for (task, message) in zip(tasks, messages) {
                    switch await task.result {
                    case .success(let details): #expect(details.contact.message == message)
                    case .failure(let error):
                        #expect(message == "poison" && error as? CRMError == .rejected, "\(error)")
                    }
                }
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 40, "the 39, and the first")
                #expect(try await psql.number("SELECT current_load FROM operators") == 40)
            }
        }
    }

    @Test("Texts that are equal to Swift and not to PostgreSQL are carried out side by side, at the first attempt")
    func canonicalEquivalence() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            // Migration 7 leaves such a row, if another lead has the composed email.
            try await psql.query("INSERT INTO leads (email) VALUES (E'e\\u0301@x')")
            try await psql.query("INSERT INTO leads (external_id) VALUES ('b'), (E'e\\u0301')")
            try await withCRM(on: database) { crm in
                let identities = [
                    LeadIdentity(externalID: nil, phone: nil, email: "e\u{301}@x"),
                    LeadIdentity(externalID: "b", phone: nil, email: "\u{e9}@x"),
                    LeadIdentity(externalID: "e\u{301}", phone: nil, email: nil),
                    LeadIdentity(externalID: "\u{e9}", phone: nil, email: nil),
                ]
                var tasks: [Task<ContactDetails, any Error>] = []
                try await whileGateIsHeld(crm, psql) {
                    tasks = (0..<64).map { number in
                        let new = NewContact(
                            sourceID: SourceID(1), identity: identities[number % 4], leadName: nil, message: nil)
                        return Task { try await crm.register(new) }
                    }
                    try await eventually("commands queue") { crm.waitingCommands == 64 }
                }
                var leads: [Set<LeadID>] = Array(repeating: [], count: 4)
                for (number, task) in tasks.enumerated() { leads[number % 4].insert(try await task.value.lead.id) }
                #expect(leads[2] == [LeadID(3)] && leads[3].count == 1 && leads[2] != leads[3])
                #expect(try await psql.number("SELECT count(*) FROM leads WHERE email = E'\\u00e9@x'") == 1)
                #expect(try await psql.numbers("SELECT attempt FROM assignment_batches") == [1])
            }
        }
    }

    @Test("A batch that violates a lead's uniqueness twice is split; the culprit alone is refused")
    func repeatedViolation() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            // With this index PostgreSQL takes emails for equal that are not.
            try await psql.query("DROP INDEX leads_email_key")
            try await psql.query("CREATE UNIQUE INDEX leads_email_key ON leads (left(email, 1))")
            try await psql.query("INSERT INTO leads (email) VALUES ('a@a')")
            try await withCRM(on: database) { crm in
                var tasks: [Task<ContactDetails, any Error>] = []
                try await whileGateIsHeld(crm, psql) {
                    tasks = "abcdefgh".map { letter in
                        let identity = LeadIdentity(externalID: nil, phone: nil, email: "\(letter)@b")
                        let new = NewContact(sourceID: SourceID(1), identity: identity, leadName: nil, message: nil)
                        return Task { try await crm.register(new) }
                    }
                    try await eventually("commands queue") { crm.waitingCommands == 8 }
                }
                await #expect(throws: CRMError.rejected) { try await tasks[0].value }
                for task in tasks.dropFirst() { _ = try await task.value }
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 8, "the seven, and the first")
            }
        }
    }

    @Test("Commands that come while a batch waits at the gate go with it")
    func groupCommit() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database) { crm in
                var tasks: [Task<ContactDetails, any Error>] = []
                try await whileGateIsHeld(crm, psql) {
                    tasks = register((0..<40).map(String.init), crm)
                    try await eventually("commands queue") { crm.waitingCommands == 40 }
                }
                for task in tasks { _ = try await task.value }
                #expect(try await psql.number("SELECT count(*) FROM assignment_batches") == 1)
            }
        }
    }

    @Test(
        "Those that come together and those that come alone do not make each other wait",
        arguments: [(100, 4), (4, 100)])
    func many(together: Int, alone: Int) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database, { $0.batchLimit = 8 }) { crm in
                var tasks: [Task<ContactDetails, any Error>] = []
                var many: Task<Int, any Error>?
                try await whileGateIsHeld(crm, psql) {
                    many = Task {
                        let contacts = (0..<together).map {
                            (contact(nil, message: "\($0)"), nil as Idempotency<ContactDetails>?)
                        }
                        return try await crm.register(contacts).count
                    }
                    try await eventually("the many queue") { crm.waitingCommands >= together }
                    tasks = (0..<alone).map { _ in Task { try await crm.register(contact("1", message: nil)) } }
                    try await eventually("the others queue") { crm.waitingCommands == together + 1 + alone }
                }
                for task in tasks { _ = try await task.value }
                #expect(try await many?.value == together)
                // Transactions, by their times, until the last of either kind was in.
                let rounds = try await psql.numbers(
                    """
                    SELECT max(t.number) FROM contacts AS c JOIN (
                        SELECT created_at, row_number() OVER (ORDER BY created_at) AS number FROM contacts GROUP BY 1
                    ) AS t USING (created_at)
                    WHERE c.id > 1 GROUP BY c.message IS NULL ORDER BY c.message IS NULL
                    """)
                // Of 8 places in a batch those who come together have 2 at least, and the others 6.
                #expect(together > alone ? rounds[1] <= 2 : rounds[0] <= 3, "\(rounds)")
                #expect(
                    try await psql.query("SELECT message FROM contacts WHERE message IS NOT NULL ORDER BY id")
                        .compactMap { $0[0] }
                        == (0..<together).map(String.init))
            }
        }
    }

    @Test("What does not fit into the queue is refused at once, the rest is carried out")
    func boundedQueue() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database, { $0.queueLimit = 5 }) { crm in
                var queued: [Task<ContactDetails, any Error>] = []
                try await whileGateIsHeld(crm, psql) {
                    queued = register((0..<5).map(String.init), crm)
                    try await eventually("commands queue") { crm.waitingCommands == 5 }
                    await #expect(throws: CRMError.unavailable(.queueFull)) { try await crm.register(contact(nil)) }
                }
                for task in queued { _ = try await task.value }
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 6)
            }
        }
    }

    @Test("A command past its deadline is told so in time, and changes nothing afterwards")
    func deadline() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database, { $0.requestTimeout = .milliseconds(300) }) { crm in
                try await psql.query("BEGIN")
                try await psql.query("LOCK TABLE assignment_gate IN EXCLUSIVE MODE")
                let commands = (0..<20).map { _ in Task { try await crm.register(contact(nil)) } }
                for command in commands {
                    await #expect(throws: CRMError.unavailable(.deadline)) { try await command.value }
                }
                try await psql.query("COMMIT")
                _ = try await crm.register(contact(nil))
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 1)
            }
        }
    }

    @Test("A command whose deadline comes while its batch is in flight is left out of it; the others are carried out")
    func deadlineInFlight() async throws {
        try await TestDatabase.with { database in
            let (first, second) = (try Psql(database.url), try Psql(database.url))
            try await addDesk(first)
            let dispatcher = Dispatcher(
                CRM.Configuration(connection: ConnectionConfiguration(url: database.url)),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                metrics: AssignmentMetrics(NOOPMetricsHandler.instance))
            let watch = Task {
                while (try? await Task.sleep(for: .milliseconds(5))) != nil { dispatcher.expire() }
            }
            defer {
                watch.cancel()
                dispatcher.close()
            }
            func register(within limit: Duration) -> Task<AssignmentOutcome, any Error> {
                Task {
                    try await withCheckedThrowingContinuation { continuation in
                        let request = AssignmentRequest(.register(contact(nil)))
                        let reply = Reply<AssignmentOutcome> { continuation.resume(with: $0) }
                        dispatcher.carryOut(LaneJob(request: request, deadline: .now + limit, reply: reply))
                    }
                }
            }
            try await first.query("BEGIN")
            try await first.query("LOCK TABLE assignment_gate IN EXCLUSIVE MODE")
            try await second.query("BEGIN")
            try await second.query("LOCK TABLE operators IN ACCESS EXCLUSIVE MODE")
            let patient = register(within: .seconds(60))
            try await waitsForLock(first)
            let hasty = register(within: .seconds(3))
            try await eventually("a command queues") { dispatcher.waitingCommands == 1 }
            // Through the gate both are in one batch, which then waits for the operators.
            try await first.query("COMMIT")
            try await eventually("the batch has grown") { dispatcher.waitingCommands == 0 }
            await #expect(throws: CRMError.unavailable(.deadline)) { try await hasty.value }
            try await second.query("COMMIT")
            _ = try await patient.value
            #expect(try await first.number("SELECT count(*) FROM contacts") == 1, "the patient one")
        }
    }

    @Test(
        "A connection lost during COMMIT neither loses a contact nor counts it twice",
        arguments: [CommitProxy.Cut.beforeServerCommits, .afterServerCommitted])
    func unknownCommit(cut: CommitProxy.Cut) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            let host = try #require(try await psql.query("SHOW unix_socket_directories").first?.first)
            let folder = try ScratchDirectory.makeSubdirectory("proxy")
            let proxy = try CommitProxy(host: host, folder: folder, cut: cut)
            defer { proxy.stop() }
            try await withCRM(
                on: database, { $0.connection.url = database.url.replacing(host: folder) }
            ) { crm in
                let details = try await crm.register(contact("+7"))
                #expect(!proxy.isArmed, "the connection was cut")
                #expect(try await psql.numbers("SELECT id FROM contacts") == [Int(details.contact.id.rawValue)])
                #expect(try await psql.number("SELECT current_load FROM operators") == 1)
                let attempts = try await psql.numbers("SELECT attempt FROM assignment_batches WHERE attempt > 0")
                #expect(attempts == [cut == .afterServerCommitted ? 1 : 2])
            }
        }
    }

    @Test("Thousands who wait are let in by several transactions, oldest first, and nobody new overtakes them")
    func admissionInParts() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql, maxLoad: 1)
            try await psql.query("UPDATE operators SET is_active = false")
            try await psql.query("INSERT INTO leads DEFAULT VALUES")
            try await psql.query("INSERT INTO contacts (lead_id, source_id) SELECT 1, 1 FROM generate_series(1, 5000)")
            try await withCRM(on: database) { crm in
                var update: Task<Operator, any Error>!
                var newcomer: Task<ContactDetails, any Error>!
                try await whileGateIsHeld(crm, psql) {
                    update = Task {
                        try await crm.updateOperator(
                            OperatorID(1), OperatorPatch(isActive: true, maxLoad: 1_000_000))
                    }
                    try await eventually("the update queues") { crm.waitingCommands == 1 }
                    newcomer = Task { try await crm.register(contact(nil, message: "new")) }
                    try await eventually("the newcomer queues") { crm.waitingCommands == 2 }
                }
                #expect(try await update.value.currentLoad == 2001)
                _ = try await newcomer.value
                try await eventually("all are let in") {
                    try await psql.number("SELECT count(*) FROM contacts WHERE operator_id IS NULL") == 0
                }
                let admissions = try await psql.query(
                    """
                    SELECT count(*), min(contact_id), max(contact_id) FROM contact_events
                    WHERE operator_id IS NOT NULL GROUP BY created_at ORDER BY created_at
                    """)
                #expect(admissions == [["2001", "1", "2001"], ["2001", "2002", "4002"], ["1000", "4003", "5002"]])
            }
        }
    }

    @Test("Where nearly all wait at one of many sources, a transaction still lets in thousands")
    func skewedAdmission() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            for statement in [
                "UPDATE operators SET is_active = false",
                "INSERT INTO sources (name) SELECT 's' || n FROM generate_series(2, 200) AS n",
                "INSERT INTO operator_source_weights (operator_id, source_id) SELECT 1, generate_series(2, 200)",
                "INSERT INTO leads DEFAULT VALUES",
                "INSERT INTO contacts (lead_id, source_id) SELECT 1, 1 FROM generate_series(1, 3000)",
                "INSERT INTO contacts (lead_id, source_id) SELECT 1, generate_series(1, 200)",
            ] { try await psql.query(statement) }
            try await withCRM(on: database) { crm in
                _ = try await crm.updateOperator(OperatorID(1), OperatorPatch(isActive: true))
                try await eventually("all are let in") {
                    try await psql.number("SELECT count(*) FROM contacts WHERE operator_id IS NULL") == 0
                }
                let transactions = try await psql.number(
                    "SELECT count(DISTINCT created_at) FROM contact_events WHERE operator_id IS NOT NULL")
                #expect(transactions <= 4)
            }
        }
    }

    @Test("Whoever waits for an operator whose row is locked is told at the deadline that nothing changed")
    func lockedOperator() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database, { $0.requestTimeout = .milliseconds(500) }) { crm in
                try await psql.query("BEGIN")
                try await psql.query("SELECT FROM operators FOR UPDATE")
                let commands = (0..<20).map { _ in Task { try await crm.register(contact(nil)) } }
                for command in commands {
                    await #expect(throws: CRMError.unavailable(.deadline)) { try await command.value }
                }
                try await psql.query("COMMIT")
                _ = try await crm.register(contact(nil))
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 1)
            }
        }
    }

    @Test("Two updates of one contact in a row are two events")
    func updatesOfOneContact() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database) { crm in
                let id = try await crm.register(contact(nil)).contact.id
                var closing: Task<ContactDetails, any Error>!
                var reopening: Task<ContactDetails, any Error>!
                try await whileGateIsHeld(crm, psql) {
                    closing = Task { try await crm.updateContact(id, ContactPatch(status: .closed)) }
                    try await eventually("commands queue") { crm.waitingCommands == 1 }
                    reopening = Task { try await crm.updateContact(id, ContactPatch(status: .active)) }
                    try await eventually("commands queue") { crm.waitingCommands == 2 }
                }
                #expect(try await closing.value.contact.status == .closed)
                #expect(try await reopening.value.contact.status == .active)
                let events = try await psql.query(
                    "SELECT status FROM contact_events WHERE contact_id = \(id) ORDER BY id")
                #expect(events == [["active"], ["closed"], ["active"]])
            }
        }
    }

    @Test("What conflicts six times is carried out at the seventh attempt", arguments: [true, false])
    func repeatedConflicts(usesGate: Bool) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            for statement in [
                "CREATE SEQUENCE attempts",
                """
                CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF nextval('attempts') <= 6 THEN RAISE 'conflict' USING ERRCODE = '40001'; END IF;
                    RETURN NULL;
                END $$
                """,
                "CREATE TRIGGER conflict AFTER INSERT ON contacts EXECUTE FUNCTION conflict()",
            ] { try await psql.query(statement) }
            try await withCRM(on: database, { $0.usesGate = usesGate }) { crm in
                _ = try await crm.register(contact(nil))
                #expect(try await psql.number("SELECT last_value FROM attempts") == 7)
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 1)
            }
        }
    }

    @Test("A conflict with another writer is run again until it succeeds", arguments: [true, false])
    func conflicts(usesGate: Bool) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database, { $0.usesGate = usesGate }) { crm in
                // It waits for this row for moments, with a snapshot that the change is newer than, and then is parked.
                try await psql.query("BEGIN")
                try await psql.query("UPDATE operators SET name = 'changed'")
                let registration = Task { try await crm.register(contact(nil)) }
                try await eventually("it has met the change") { crm.parkedCommands == 1 }
                try await psql.query("COMMIT")
                #expect(try await registration.value.operator?.name == "changed")
            }
        }
    }
}
