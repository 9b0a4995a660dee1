import Postgres
import TestSupport
import Testing

@Suite struct ConnectionPoolTests {
    private struct Select: Transaction {
        var isRepeatable = true
        /// Whether the job opens a transaction first and leaves it open.
        var begins = false
        var sql: String

        func run(on connection: inout Connection) throws -> [Int64] {
            if begins { _ = try connection.run(Statement(unprepared: "BEGIN")()) }
            return try connection.run(Statement(unprepared: sql)()).map { try $0.next() }
        }
    }

    private func pool(_ database: TestDatabase, size: Int = 1, queueLimit: Int = 10) -> ConnectionPool {
        ConnectionPool(ConnectionConfiguration(url: database.url), size: size, queueLimit: queueLimit)
    }

    private var soon: ContinuousClock.Instant { .now + .seconds(30) }

    @Test("A connection that broke while idle is opened again, also for what may run only once")
    func reconnecting() async throws {
        try await TestDatabase.with(.none) { database in
            let pool = pool(database)
            defer { pool.close() }
            let backend = Select(isRepeatable: false, sql: "SELECT pg_backend_pid()::bigint")
            let first = try await pool.run(backend, deadline: soon)
            let psql = try Psql(database.url)
            try await psql.query("SELECT pg_terminate_backend(\(first[0]))")
            try await eventually("the session has ended") {
                try await psql.number("SELECT count(*) FROM pg_stat_activity WHERE pid = \(first[0])") == 0
            }
            #expect(try await pool.run(backend, deadline: soon) != first)
        }
    }

    @Test("The next job never runs in a transaction that the last one left open")
    func leftOpen() async throws {
        try await TestDatabase.with(.none) { database in
            let pool = pool(database)
            defer { pool.close() }
            let number = "SELECT pg_current_xact_id()::text::bigint"
            let open = try await pool.run(Select(begins: true, sql: number), deadline: soon)
            #expect(try await pool.run(Select(sql: number), deadline: soon) != open)
            let idle = Select(
                sql:
                    "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
            )
            try await eventually("its session has ended") { try await pool.run(idle, deadline: soon) == [0] }
        }
    }

    @Test("A transaction that fails is rolled back, and its connection kept")
    func failed() async throws {
        try await TestDatabase.with(.none) { database in
            let pool = pool(database)
            defer { pool.close() }
            let backend = Select(sql: "SELECT pg_backend_pid()::bigint")
            let first = try await pool.run(backend, deadline: soon)
            await #expect(throws: PostgresError.self) {
                try await pool.run(Select(begins: true, sql: "SELECT 1::bigint / 0"), deadline: soon)
            }
            #expect(try await pool.run(backend, deadline: soon) == first)
        }
    }

    @Test("Jobs beyond the queue's limit are refused, those past their deadline are answered")
    func bounds() async throws {
        try await TestDatabase.with(.none) { database in
            let pool = pool(database, queueLimit: 2)
            defer { pool.close() }
            let psql = try Psql(database.url)
            try await psql.query("SELECT pg_advisory_lock(1)")
            let running = Task {
                try await pool.run(Select(sql: "SELECT 1::bigint FROM pg_advisory_lock(1)"), deadline: soon)
            }
            try await eventually("the job waits for the lock") {
                try await psql.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1
            }
            let late = Task { try await pool.run(Select(sql: "SELECT 2::bigint"), deadline: .now) }
            let last = Task { try await pool.run(Select(sql: "SELECT 3::bigint"), deadline: soon) }
            try await eventually("two jobs wait") { pool.waitingJobs == 2 }
            let refusal = await #expect(throws: PostgresError.self) {
                try await pool.run(Select(sql: "SELECT 4::bigint"), deadline: soon)
            }
            guard case .queueFull? = refusal else { return #expect(Bool(false), "\(refusal as Any)") }
            pool.expire()
            await #expect(throws: PostgresError.self) { try await late.value }
            try await psql.query("SELECT pg_advisory_unlock(1)")
            _ = try await running.value
            #expect(try await last.value == [3])
        }
    }
}
