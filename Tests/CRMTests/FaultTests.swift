import EmbeddedPostgres
import Foundation
import Model
import Postgres
import Store
import Synchronization
import TestSupport
import Testing

@testable import CRM

/// The lane beside what people and machines do to its database.
@Suite struct FaultTests {
    // MARK: Locked rows

    /// What somebody leaves open in psql, and what then waits for it at source 1.
    enum Lock: CaseIterable {
        case operatorRow, sourceRow, leadRow, change, waitingContact, newLead

        var preparation: [String] {
            switch self {
            case .leadRow: ["INSERT INTO leads (phone) VALUES ('+71')"]
            case .change:
                [
                    "INSERT INTO leads DEFAULT VALUES",
                    "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1)",
                ]
            case .waitingContact:
                ["UPDATE operators SET is_active = false WHERE id = 1", "INSERT INTO leads DEFAULT VALUES"]
            case .operatorRow, .sourceRow, .newLead: []
            }
        }

        var statement: String {
            switch self {
            case .operatorRow: "SELECT FROM operators WHERE id = 1 FOR UPDATE"
            case .sourceRow: "SELECT FROM sources WHERE id = 1 FOR UPDATE"
            case .leadRow: "SELECT FROM leads WHERE id = 1 FOR UPDATE"
            case .change: "UPDATE contacts SET status = 'closed' WHERE id = 1"
            // Nobody else may see the row, but its counter is locked.
            case .waitingContact: "INSERT INTO contacts (lead_id, source_id) VALUES (1, 1)"
            case .newLead: "INSERT INTO leads (phone) VALUES ('+71')"
            }
        }
    }

    @Test("What is locked by hand stops nobody but those who need it, on no instance", arguments: Lock.allCases)
    func locked(_ lock: Lock) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await addDesk(psql)
            for statement in lock.preparation { try await psql.query(statement) }
            let change: (inout CRM.Configuration) -> Void = { $0.requestTimeout = .seconds(120) }
            try await withCRM(on: database, change) { crm in
                try await withCRM(on: database, change) { other in
                    try await psql.query("BEGIN")
                    try await psql.query(lock.statement)
                    let blocked = Task { try await crm.register(contact("+71")) }
                    try await eventually("it waits") { crm.parkedCommands == 1 }
                    for instance in [crm, other] {
                        let others = (0..<30).map { _ in Task { try await instance.register(contact(nil, at: 2)) } }
                        for task in others { #expect(try await task.value.operator?.id == OperatorID(2)) }
                    }
                    try await eventually("it waits still") { crm.parkedCommands == 1 }
                    try await psql.query("COMMIT")
                    #expect(try await blocked.value.source.id == SourceID(1))
                    try await eventually("nothing waits") { crm.parkedCommands == 0 }
                }
            }
        }
    }

    @Test("Who waits at several sources is let in past a locked operator")
    func lockedForWaiting() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            for _ in 1...3 { try await addDesk(psql) }
            for statement in [
                "INSERT INTO operator_source_weights (operator_id, source_id) VALUES (1, 3), (2, 3)",
                "DELETE FROM operator_source_weights WHERE operator_id = 3",
                "INSERT INTO leads DEFAULT VALUES",
                "INSERT INTO contacts (lead_id, source_id) SELECT 1, 3 FROM generate_series(1, 20)",
            ] { try await psql.query(statement) }
            try await withCRM(on: database, { $0.requestTimeout = .seconds(120) }) { crm in
                try await psql.query("BEGIN")
                try await psql.query("SELECT FROM operators WHERE id = 1 FOR UPDATE")
                #expect(try await crm.register(contact(nil, at: 2)).operator?.id == OperatorID(2))
                #expect(try await psql.number("SELECT current_load FROM operators WHERE id = 2") == 21)
                try await psql.query("COMMIT")
            }
        }
    }

    @Test("Who waits longest and is locked is passed over by those who waited, not by who comes now")
    func lockedWaiting() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql, maxLoad: 3)
            try await psql.query("INSERT INTO leads DEFAULT VALUES")
            try await psql.query("INSERT INTO contacts (lead_id, source_id) SELECT 1, 1 FROM generate_series(1, 6)")
            try await withCRM(on: database) { crm in
                try await psql.query("BEGIN")
                try await psql.query("SELECT FROM contacts WHERE id <= 3 FOR UPDATE")
                let new = try await crm.register(contact(nil))
                #expect(new.operator == nil)
                try await psql.query("COMMIT")
                let placed = try await psql.numbers("SELECT id FROM contacts WHERE operator_id = 1 ORDER BY id")
                #expect(placed == [4, 5, 6])
            }
        }
    }

    @Test("Commands that wait for rows are answered at their deadline, and refused beyond the limit of the queue")
    func parkedBounds() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database, { ($0.queueLimit, $0.requestTimeout) = (5, .seconds(2)) }) { crm in
                try await psql.query("BEGIN")
                try await psql.query("SELECT FROM operators WHERE id = 1 FOR UPDATE")
                let first = (0..<5).map { _ in Task { try await crm.register(contact(nil)) } }
                try await eventually("they wait") { crm.parkedCommands == 5 }
                await #expect(throws: CRMError.unavailable(.queueFull)) { try await crm.register(contact(nil)) }
                for task in first {
                    await #expect(throws: CRMError.unavailable(.deadline)) { try await task.value }
                }
                try await psql.query("COMMIT")
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 0)
                _ = try await crm.register(contact(nil))
            }
        }
    }

    // MARK: Standing still

    /// How the holder of the gate stands still.
    enum Standstill: CaseIterable {
        /// Between two statements.
        case betweenStatements
        /// In the middle of what PostgreSQL sends it.
        case notReading
    }

    @Test("Who stands still with the gate is thrown out by who waits", arguments: Standstill.allCases)
    func standstill(_ standstill: Standstill) async throws {
        try await TestDatabase.with { database in
            let (psql, holder) = (try Psql(database.url), try Psql(database.url))
            try await addDesk(psql)
            try await withCRM(
                on: database, { ($0.gatePatience, $0.requestTimeout) = (.milliseconds(200), .seconds(120)) }
            ) { crm in
                try await holder.query("BEGIN")
                try await holder.query("LOCK TABLE assignment_gate IN SHARE ROW EXCLUSIVE MODE")
                if standstill == .notReading {
                    Task {
                        try await holder.query("SELECT repeat('x', 10000000) FROM pg_sleep(1), generate_series(1, 10)")
                    }
                    for (event, signal) in [("PgSleep", SIGSTOP), ("ClientWrite", 0)] {
                        try await eventually(event) {
                            try await psql.number(
                                """
                                SELECT count(*) FROM pg_stat_activity
                                WHERE datname = current_database() AND wait_event = '\(event)'
                                """) == 1
                        }
                        holder.signal(signal)
                    }
                }
                _ = try await crm.register(contact(nil))
                holder.signal(SIGCONT)
                #expect(try await psql.number("SELECT count(*) FROM contacts") == 1)
            }
        }
    }

    @Test("Who works with the gate is not thrown out, nor who took it by hand")
    func slowButLiving() async throws {
        try await TestDatabase.with { database in
            let (psql, holder) = (try Psql(database.url), try Psql(database.url))
            try await addDesk(psql)
            for (mode, sleeps) in [("SHARE ROW EXCLUSIVE", true), ("EXCLUSIVE", false)] {
                try await withCRM(
                    on: database, { ($0.gatePatience, $0.requestTimeout) = (.milliseconds(100), .seconds(2)) }
                ) { crm in
                    try await holder.query("BEGIN")
                    try await holder.query("LOCK TABLE assignment_gate IN \(mode) MODE")
                    let work = Task { if sleeps { try await holder.query("SELECT pg_sleep(3)") } }
                    // Until then it stands still.
                    try await eventually("it works") {
                        try await psql.number(
                            """
                            SELECT count(*) FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event = 'PgSleep'
                            """) == (sleeps ? 1 : 0)
                    }
                    await #expect(throws: CRMError.unavailable(.deadline)) { try await crm.register(contact(nil)) }
                    try await work.value
                    try await holder.query("COMMIT")
                    _ = try await crm.register(contact(nil))
                }
            }
        }
    }

    @Test("Without the gate, too, who stands still with a row that others need is thrown out")
    func standstillWithoutGate() async throws {
        try await TestDatabase.with { database in
            let (psql, holder) = (try Psql(database.url), try Psql(database.url))
            try await addDesk(psql)
            try await withCRM(
                on: database,
                { ($0.usesGate, $0.gatePatience, $0.requestTimeout) = (false, .milliseconds(200), .seconds(120)) }
            ) { crm in
                try await holder.query("BEGIN")
                try await holder.query("LOCK TABLE assignment_gate IN ROW SHARE MODE")
                try await holder.query("SELECT FROM operators FOR NO KEY UPDATE")
                _ = try await crm.register(contact(nil))
            }
        }
    }

    // MARK: Isolation

    @Test("Beside an open SERIALIZABLE transaction and an open transaction id the lane goes on at REPEATABLE READ")
    func notSerializable() async throws {
        let postgres = try await EmbeddedPostgres.start(
            in: ScratchDirectory.makeSubdirectory("isolation"), settings: ["max_connections": "30"])
        let (psql, reader) = (try Psql(postgres.url), try Psql(postgres.url))
        var connection = try Connection(ConnectionConfiguration(url: postgres.url))
        _ = try Migrations.migrate(&connection)
        try await addDesk(psql)
        try await withCRM(url: postgres.url) { crm in
            _ = try await crm.register(contact(nil))
            for statement in [
                "BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT count(*) FROM contacts", "SELECT txid_current()",
            ] { try await reader.query(statement) }
            // Each makes a new version of the operator's row, until PostgreSQL no longer keeps the old ones' transactions apart.
            try await psql.query("SET default_transaction_isolation = serializable")
            await #expect(throws: Psql.Failure.self) {
                try await psql.query(
                    """
                    DO $$ BEGIN
                        FOR n IN 1..10000 LOOP
                            UPDATE contacts SET status = CASE status WHEN 'active' THEN 'closed' ELSE 'active' END
                            WHERE id = 1;
                            COMMIT;
                        END LOOP;
                    END $$
                    """)
            }
            for _ in 1...5 { #expect(try await crm.register(contact(nil)).operator != nil) }
            try await reader.query("COMMIT")
        }
        try await postgres.stop()
    }

    // MARK: A standby

    @Test(
        "With the synchronous standby away nobody is answered before it is back, whoever ends the wait of COMMIT",
        arguments: ["pg_terminate_backend", "pg_cancel_backend"])
    func standbyAway(end: String) async throws {
        let postgres = try await EmbeddedPostgres.start(in: ScratchDirectory.makeSubdirectory("standby"))
        let psql = try Psql(postgres.url)
        var connection = try Connection(ConnectionConfiguration(url: postgres.url))
        _ = try Migrations.migrate(&connection)
        try await addDesk(psql)
        // Maintenance waits, too.
        let waiting = """
            SELECT pid || ' ' || query_start FROM pg_stat_activity
            WHERE wait_event = 'SyncRep' AND query NOT LIKE '%maintenance_jobs%'
            """
        try await withCRM(url: postgres.url, { $0.requestTimeout = .seconds(120) }) { crm in
            _ = try await crm.register(contact(nil))
            try await psql.query("ALTER SYSTEM SET synchronous_standby_names = 'away'")
            try await psql.query("SELECT pg_reload_conf()")
            try await commitsWait(psql, url: postgres.url)
            let isAnswered = Mutex(false)
            let registration = Task {
                defer { isAnswered.withLock { $0 = true } }
                return try await crm.register(contact("+7"))
            }
            var last: [[String]] = []
            for _ in 1...4 {
                var now: [[String]] = []
                try await eventually("a commit waits that did not wait before, or the client is answered") {
                    now = try await psql.query(waiting)
                    return now.count == 1 && now != last || isAnswered.withLock { $0 }
                }
                let isTooEarly = isAnswered.withLock { $0 }
                #expect(!isTooEarly)
                last = now
                try await psql.query("SELECT \(end)(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            }
            try await psql.query("ALTER SYSTEM RESET synchronous_standby_names")
            try await psql.query("SELECT pg_reload_conf()")
            #expect(try await registration.value.contact.id == ContactID(2))
            #expect(try await psql.number("SELECT count(*) FROM contacts") == 2)
        }
        try await postgres.stop()
    }

    /// Returns when a new setting has come so far that commits wait for the standby.
    private func commitsWait(_ psql: Psql, url: String) async throws {
        let committer = try Psql(url)
        let commits = Task { while true { try await committer.query("SELECT pg_logical_emit_message(true, '', '')") } }
        try await eventually("a commit waits, and is ended") {
            let waiting = "wait_event = 'SyncRep' AND query LIKE 'SELECT pg_logical_emit_message%'"
            return try await psql.number(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE \(waiting)") == 1
        }
        _ = await commits.result
    }

    @Test("What an attempt did whose outcome was unknown is not refused by the next one")
    func refusalAfterUncertainAttempt() async throws {
        let postgres = try await EmbeddedPostgres.start(in: ScratchDirectory.makeSubdirectory("uncertain"))
        let (psql, thief) = (try Psql(postgres.url), try Psql(postgres.url))
        var connection = try Connection(ConnectionConfiguration(url: postgres.url))
        _ = try Migrations.migrate(&connection)
        try await addDesk(psql)
        try await addDesk(psql, maxLoad: 1)
        let host = try #require(try await psql.query("SHOW unix_socket_directories").first?.first)
        let folder = try ScratchDirectory.makeSubdirectory("proxy")
        let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"
        try await withCRM(url: postgres.url, { $0.requestTimeout = .seconds(120) }) { crm in
            let id = try await crm.register(contact(nil)).contact.id
            try await psql.query("ALTER SYSTEM SET synchronous_standby_names = 'away'")
            try await psql.query("SELECT pg_reload_conf()")
            _ = try CommitProxy(host: host, folder: folder, cut: .whileServerCommits)
            let change: (inout CRM.Configuration) -> Void = {
                $0.connection.url = postgres.url.replacing(host: folder)
                $0.requestTimeout = .seconds(120)
            }
            try await withCRM(url: postgres.url, change) { cut in
                // The transfer is durable, waits for the standby, and nobody sees it yet.
                let transfer = Task { try await cut.updateContact(id, ContactPatch(operatorID: OperatorID(2))) }
                try await eventually("its COMMIT waits") { try await psql.query(waiting).count == 1 }
                let theft = Task {
                    try await thief.query("BEGIN")
                    try await thief.query("LOCK TABLE assignment_gate IN EXCLUSIVE MODE")
                    try await thief.query("UPDATE contacts SET operator_id = 1 WHERE id = \(id)")
                    try await thief.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 2, 2)")
                    try await thief.query("COMMIT")
                }
                // The next attempt comes after psql, or it would not be refused.
                try await waitsForLock(psql)
                let proxy = try CommitProxy(host: host, folder: folder)
                defer { proxy.stop() }
                try await waitsForLock(psql, sessions: 2)
                try await psql.query("ALTER SYSTEM RESET synchronous_standby_names")
                try await psql.query("SELECT pg_reload_conf()")
                try await theft.value
                #expect(try await transfer.value.operator?.id == OperatorID(2), "it was transferred, for a moment")
                #expect(try await psql.numbers("SELECT attempt FROM assignment_batches WHERE attempt > 1") == [])
            }
        }
        try await postgres.stop()
    }

    // MARK: Errors of the server

    @Test("A database without room is told as such, for commands and for other requests")
    func overloaded() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            for statement in [
                """
                CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE 'no room' USING ERRCODE = '53100'; END $$
                """,
                "CREATE TRIGGER no_room BEFORE INSERT ON contacts EXECUTE FUNCTION no_room()",
                "CREATE TRIGGER no_room BEFORE INSERT ON sources EXECUTE FUNCTION no_room()",
            ] { try await psql.query(statement) }
            try await withCRM(on: database, { $0.requestTimeout = .seconds(2) }) { crm in
                try await psql.query("BEGIN")
                try await psql.query("LOCK TABLE assignment_gate IN EXCLUSIVE MODE")
                var tasks = [Task { try await crm.register(contact(nil)) }]
                try await waitsForLock(psql)
                tasks += (1..<20).map { _ in Task { try await crm.register(contact(nil)) } }
                try await eventually("they queue") { crm.waitingCommands == 19 }
                try await psql.query("COMMIT")
                for task in tasks {
                    await #expect(throws: CRMError.unavailable(.overloaded)) { try await task.value }
                }
                await #expect(throws: CRMError.unavailable(.overloaded)) {
                    try await crm.createSource(name: "x", description: nil)
                }
                try await psql.query("DROP FUNCTION no_room CASCADE")
                _ = try await crm.register(contact(nil))
            }
        }
    }

    @Test("A change whose connection is lost is not said to have changed nothing")
    func lostPatch() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            let host = try #require(try await psql.query("SHOW unix_socket_directories").first?.first)
            let folder = try ScratchDirectory.makeSubdirectory("proxy")
            let proxy = try CommitProxy(
                host: host, folder: folder, cut: .afterServerCommitted, request: "UPDATE sources", answer: "UPDATE 1\0")
            defer { proxy.stop() }
            try await withCRM(on: database, { $0.connection.url = database.url.replacing(host: folder) }) { crm in
                await #expect(throws: CRMError.unavailable(.outcomeUnknown)) {
                    try await crm.updateSource(SourceID(1), name: "new", description: nil)
                }
                let changed = try await psql.number("SELECT count(*) FROM sources WHERE name = 'new'")
                #expect(changed == 1)
            }
        }
    }

    @Test(
        "A connection that is cut during COMMIT and a repetition with the same key make one change",
        arguments: [CommitProxy.Cut.beforeServerCommits, .afterServerCommitted])
    func repetition(cut: CommitProxy.Cut) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            let host = try #require(try await psql.query("SHOW unix_socket_directories").first?.first)
            let folder = try ScratchDirectory.makeSubdirectory("proxy")
            let registration = Idempotency<ContactDetails>(IdempotencyKey("c", fingerprint: "f")) { details in
                KeptAnswer(status: 201, body: "\(details.contact.id)")
            }
            let creation = Idempotency<Source>(IdempotencyKey("s", fingerprint: "f")) { source in
                KeptAnswer(status: 201, body: "\(source.id)")
            }
            func answers(cut: CommitProxy.Cut?) async throws -> [KeptAnswer?] {
                var answers: [KeptAnswer?] = []
                for isRegistration in [true, false] {
                    // Not READ COMMITTED.
                    let proxy = try CommitProxy(host: host, folder: folder, cut: cut, request: "COMMIT\0")
                    defer { proxy.stop() }
                    let change: (inout CRM.Configuration) -> Void = {
                        $0.connection.url = database.url.replacing(host: folder)
                        $0.requestTimeout = .seconds(60)
                    }
                    try await withCRM(on: database, change) { crm in
                        if isRegistration {
                            answers.append(
                                try await crm.answer { crm.register(contact(nil), registration, completion: $0) }.kept)
                        } else {
                            answers.append(try? await crm.createSource(name: "s", description: nil, creation).kept)
                        }
                        #expect(!proxy.isArmed)
                    }
                }
                return answers
            }
            let first = try await answers(cut: cut)
            #expect(first[0] != nil && first[1] == nil, "the lane finds out; who creates is told that it is not known")
            let second = try await answers(cut: nil)
            #expect(second[0] == first[0] && second[1] != nil)
            #expect(try await answers(cut: cut) == [first[0], nil])
            #expect(try await psql.number("SELECT count(*) FROM contacts") == 1)
            #expect(try await psql.number("SELECT count(*) FROM sources WHERE name = 's'") == 1)
        }
    }
}

extension Answered {
    fileprivate var kept: KeptAnswer? { if case .kept(let answer, _) = self { answer } else { nil } }
}
