import Model
import Postgres
import Store
import TestSupport
import Testing

@Suite struct ValueTests {
    @Test(
        "A timestamp is written as PostgreSQL writes it",
        arguments: [
            "2000-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z", "2024-02-29T12:34:56.000001Z",
            "1969-12-31T00:00:00.1Z", "2100-03-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
        ])
    func timestamps(text: String) async throws {
        try await TestDatabase.with(.none) { database in
            var connection = try Connection(ConnectionConfiguration(url: database.url))
            let query = Statement(
                """
                SELECT $1::text::timestamptz, to_char($1::text::timestamptz AT TIME ZONE 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS' || CASE WHEN extract(microseconds FROM $1::text::timestamptz)::int % 1000000
                        = 0 THEN '' ELSE '.US' END || '"Z"')
                """)
            let (value, written) = try #require(
                try connection.run(query(.text(text))).first { (try $0.next(Timestamp.self), try $0.next(String.self)) }
            )
            #expect(value.description == written)
        }
    }
}
