import Postgres
import TestSupport
import Testing

@Suite struct ConnectionTests {
    private func connect(_ database: TestDatabase, prepares: Bool = true) throws -> Connection {
        try Connection(ConnectionConfiguration(url: database.url, preparesStatements: prepares))
    }

    private func sqlState(of body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch PostgresError.server(let error) {
            return error.sqlState
        } catch {
            return "\(error)"
        }
    }

    @Test("Values come back as they were sent", arguments: [true, false])
    func roundTrip(prepares: Bool) async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database, prepares: prepares)
            let values = Statement(
                "SELECT $1::boolean, $2::integer, $3::bigint, $4::text, $5::text, $6::text, $7::uuid::text")
            for _ in 1...2 {
                let result = try connection.run(
                    values(
                        .bool(true), .int4(-5), .int8(.min), .text("Хочу \u{1F600}"), .text(""), .text(nil),
                        .uuid(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)))
                let row = try #require(
                    try result.first {
                        (
                            try $0.next(Bool.self), try $0.next(Int32.self), try $0.next(Int64.self),
                            try $0.next(String.self), try $0.next(String.self), try $0.next(String?.self),
                            try $0.next(String.self)
                        )
                    })
                #expect(row.0 && row.1 == -5 && row.2 == .min)
                #expect(row.3 == "Хочу \u{1F600}")
                #expect(row.4 == "" && row.5 == nil)
                #expect(row.6 == "01234567-89ab-cdef-fedc-ba9876543210")
            }
        }
    }

    @Test("An array is read as it is; one with NULLs, of two dimensions or of another type is refused")
    func arrayResults() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            func read<T: BinaryDecodable>(_ sql: String, _ type: T.Type) throws -> T? {
                try connection.run(Statement(unprepared: sql)()).first { try $0.next(T.self) }
            }
            #expect(try read("SELECT '{3,-1,2}'::bigint[]", [Int64].self) == [3, -1, 2])
            #expect(try read("SELECT '{}'::integer[]", [Int32].self) == [])
            #expect(try read("SELECT '{a,\"\"}'::text[]", [String].self) == ["a", ""])
            for wrong in ["'{3,NULL}'::bigint[]", "'{{1,2},{3,4}}'::bigint[]", "'{1}'::integer[]", "1"] {
                #expect(throws: PostgresError.self) { try read("SELECT \(wrong)", [Int64].self) }
            }
        }
    }

    @Test("Arrays keep their order, their NULLs and their emptiness")
    func arrays() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            let unnested = Statement("SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[])")
            let rows = try connection.run(
                unnested(.int8Array([3, nil, 1]), .textArray(["", "b", nil]), .int4Array([7, 8, 9]))
            ).map { (try $0.next(Int64?.self), try $0.next(String?.self), try $0.next(Int32.self)) }
            #expect(rows.map(\.0) == [3, nil, 1])
            #expect(rows.map(\.1) == ["", "b", nil])
            #expect(rows.map(\.2) == [7, 8, 9])
            #expect(try connection.run(unnested(.int8Array([]), .textArray([]), .int4Array([]))).count == 0)
        }
    }

    @Test("The first query that fails is told, the rest of its flight is not run, the connection goes on")
    func failingFlight() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            let create = Statement(unprepared: "CREATE TABLE t (i integer CONSTRAINT small CHECK (i < 9))")
            let insert = Statement("INSERT INTO t VALUES ($1::integer)")
            _ = try connection.run(create())
            do {
                _ = try connection.run([insert(.int4(1)), insert(.int4(10)), insert(.int4(2))])
                Issue.record("10 is not small")
            } catch PostgresError.server(let error) {
                #expect(error.sqlState == "23514")
                #expect(error.constraint == "small")
            }
            let count = Statement("SELECT count(*) FROM t")
            #expect(try connection.run(count()).first { try $0.next(Int64.self) } == 0, "one flight, one transaction")
            let isIdle = connection.isIdle
            #expect(isIdle)
        }
    }

    @Test("A flight far larger than the sockets' buffers does not block, in either direction")
    func largeFlight() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            connection.deadline = .now + .seconds(60)
            let echo = Statement("SELECT $1::text")
            let text = String(repeating: "x", count: 1_000_000)
            let results = try connection.run((0..<24).map { _ in echo(.text(text)) })
            #expect(results.count == 24)
            #expect(try results[23].first { try $0.next(String.self) } == text)
        }
    }

    @Test("The wait for an answer ends at the deadline, and the connection is given up")
    func deadline() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            connection.deadline = .now + .milliseconds(100)
            do {
                _ = try connection.run(Statement("SELECT 1::bigint FROM pg_sleep(60)")())
                Issue.record("60 seconds have passed")
            } catch PostgresError.deadlineExceeded {}
            let isIdle = connection.isIdle
            #expect(!isIdle)
        }
    }

    @Test("A session that the server ends is told from a refused statement")
    func terminated() async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try connect(database)
            let killed = sqlState {
                _ = try connection.run(
                    Statement(unprepared: "SELECT pg_terminate_backend(pg_backend_pid())")())
            }
            #expect(killed == "connection to PostgreSQL lost")
            let isIdle = connection.isIdle
            #expect(!isIdle)
        }
    }

    @Test("An error's description shows neither SQL nor host; its details do")
    func redaction() {
        do {
            _ = try Connection(ConnectionConfiguration(url: "postgresql://nobody@127.0.0.1:1/secret"))
            Issue.record("nobody listens there")
        } catch {
            #expect(error.description == "connection to PostgreSQL lost")
            #expect(error.details.contains("127.0.0.1"))
        }
    }
}
