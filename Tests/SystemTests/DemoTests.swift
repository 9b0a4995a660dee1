import Foundation
import TestSupport
import Testing

extension System {
    @Suite("demo")
    struct Demos {
        /// What happened, without the times that follow from the clock.
        private static let history = """
            SELECT (SELECT json_agg(to_jsonb(l) - 'created_at' - 'updated_at' ORDER BY id) FROM leads AS l),
                (SELECT json_agg(json_build_array(contact_id, operator_id, status) ORDER BY id) FROM contact_events)
            """

        private func run(_ arguments: String..., on database: TestDatabase) async throws -> Command.Output {
            try await Command.run(["demo", "--database-url", database.url] + arguments)
        }

        @Test("It fills an empty database: counters agree, history is in order, some wait, and an instance goes on")
        func fills() async throws {
            try await TestDatabase.with(.none) { database in
                let output = try await run("--contacts", "800", "--days", "3", on: database)
                #expect(output.status == 0, "\(output)")
                #expect(output.standardOutput.hasPrefix("800 contacts of "), "\(output)")
                let check = try await Command.run(["check", "--database-url", database.url])
                #expect(check.status == 0, "\(check)")
                let psql = try Psql(database.url)
                let facts = try await psql.query(
                    """
                    SELECT count(*) = 800,
                        count(*) FILTER (WHERE status = 'active' AND operator_id IS NULL) BETWEEN 5 AND 30,
                        count(*) FILTER (WHERE status = 'closed') > 600, count(DISTINCT lead_id) BETWEEN 400 AND 750,
                        min(created_at) BETWEEN now() - interval '74 hours' AND now() - interval '60 hours',
                        max(created_at) BETWEEN now() - interval '45 minutes' AND now(),
                        count(DISTINCT date_trunc('hour', created_at)) > 30,
                        bool_and(updated_at IS NULL OR updated_at BETWEEN created_at AND now())
                    FROM contacts
                    """)
                #expect(facts == [Array(repeating: "t", count: 8)])
                let disorder = try await psql.query(
                    """
                    SELECT e.* FROM (
                        SELECT *, lag(created_at) OVER (ORDER BY id) AS before,
                            lag(status) OVER of_contact AS last_status, lag(operator_id) OVER of_contact AS last_operator
                        FROM contact_events WINDOW of_contact AS (PARTITION BY contact_id ORDER BY id)) AS e
                    JOIN contacts AS c ON c.id = e.contact_id
                    WHERE e.created_at < e.before OR e.created_at < c.created_at OR e.last_status = 'closed'
                        OR e.last_operator <> e.operator_id AND e.last_operator <> 8 AND e.contact_id % 50 NOT IN (20, 40)
                    """)
                #expect(disorder == [])
                let states = try await psql.number(
                    """
                    SELECT count(*) FROM contacts AS c JOIN LATERAL (
                        SELECT * FROM contact_events AS e WHERE e.contact_id = c.id ORDER BY id DESC LIMIT 1) AS e ON true
                    WHERE (e.status, e.operator_id) IS DISTINCT FROM (c.status, c.operator_id)
                        OR e.created_at <> COALESCE(c.updated_at, c.created_at)
                    """)
                #expect(states == 0)

                let instance = try await Instance.start(databaseURL: database.url)
                TestInstances.add(instance)
                let contact = try await instance.client.post("/api/v1/contacts", ["source_id": 1])
                #expect(contact.json["id"] == 801, "\(contact)")
            }
        }

        @Test(
            "Strategies, limits, priorities, a batch, who leaves, requeues, transfers and deletes are there to be seen")
        func features() async throws {
            try await TestDatabase.with { database in
                #expect(try await run("--contacts", "1500", on: database).status == 0)
                let psql = try Psql(database.url)
                let facts: [(what: String, query: String)] = [
                    (
                        "all strategies, one sticky source",
                        "SELECT count(DISTINCT strategy) = 3 AND count(*) FILTER (WHERE sticky) = 1 FROM sources"
                    ),
                    (
                        "a weight's own limit, and what strategies remember",
                        """
                        SELECT count(max_load) = 1
                            AND bool_and((w.given_at IS NOT NULL) = (s.strategy <> 'weighted_random'))
                            AND bool_and((w.credit IS NOT NULL) <= (s.strategy = 'smooth_weighted')) AND count(credit) > 0
                        FROM operator_source_weights AS w JOIN sources AS s ON s.id = w.source_id
                        """
                    ),
                    (
                        "leads come back to their operators",
                        """
                        SELECT avg((c.operator_id = c.last_operator)::integer) > 0.8 AND count(*) > 30
                        FROM (
                            SELECT *, lag(operator_id) OVER (PARTITION BY lead_id ORDER BY id) AS last_operator
                            FROM contacts
                        ) AS c JOIN sources AS s ON s.id = c.source_id
                        WHERE s.sticky AND c.last_operator IN (6, 7)
                        """
                    ),
                    (
                        "leads of whom more became known",
                        """
                        SELECT count(*) > 10 FROM leads
                        WHERE updated_at > created_at AND external_id IS NOT NULL AND email IS NOT NULL
                        """
                    ),
                    (
                        "priorities",
                        "SELECT count(DISTINCT priority) = 10 AND count(*) FILTER (WHERE priority = 0) > 1000 FROM contacts"
                    ),
                    (
                        "a batch",
                        """
                        SELECT array_agg(n) = ARRAY[12::bigint]
                        FROM (SELECT count(*) AS n FROM contacts GROUP BY created_at HAVING count(*) > 1) AS c
                        """
                    ),
                    (
                        "who left has nothing, and was given nothing since",
                        """
                        SELECT NOT o.is_active AND o.current_load = 0 AND NOT EXISTS (
                                SELECT FROM contact_events AS e
                                WHERE e.operator_id = o.id AND e.status = 'active' AND e.created_at >= o.updated_at)
                            AND count(m.*) FILTER (WHERE m.last = o.id AND m.created_at = o.updated_at) > 0
                        FROM operators AS o CROSS JOIN moves AS m WHERE o.id = 8 GROUP BY o.id
                        """
                    ),
                    (
                        "requeues and transfers",
                        """
                        SELECT count(*) FILTER (WHERE contact_id % 50 = 20) > 5
                            AND count(*) FILTER (WHERE contact_id % 50 = 40) > 5 FROM moves
                        """
                    ),
                    (
                        "why each contact moved",
                        """
                        SELECT array_agg(DISTINCT cause ORDER BY cause)
                                = ARRAY['close', 'place_freed', 'registered', 'release', 'requeue', 'transfer']
                            AND count(actor) = 0 AND bool_and((cause = 'close') = (status = 'closed'))
                            AND bool_and((cause = 'release') <= (contact_id IN (SELECT contact_id FROM moves WHERE last = 8)))
                        FROM contact_events
                        """
                    ),
                    (
                        "a deleted operator and source",
                        """
                        SELECT nextval('operators_id_seq') = 10 AND (SELECT max(id) = 8 FROM operators)
                            AND nextval('sources_id_seq') = 8 AND (SELECT max(id) = 6 FROM sources)
                        """
                    ),
                ]
                try await psql.query(
                    """
                    CREATE TEMPORARY VIEW moves AS SELECT * FROM (
                        SELECT *, lag(operator_id) OVER (PARTITION BY contact_id ORDER BY id) AS last FROM contact_events
                    ) AS e WHERE last <> operator_id
                    """)
                for (what, query) in facts { #expect(try await psql.query(query) == [["t"]], "\(what)") }
            }
        }

        @Test("The same seed gives the same desk, another seed another")
        func seeds() async throws {
            var histories: [[[String]]] = []
            for seed in ["5", "5", "5", "6"] {
                try await TestDatabase.with { database in
                    #expect(try await run("--contacts", "60", "--seed", seed, on: database).status == 0)
                    histories.append(try await Psql(database.url).query(Self.history))
                }
            }
            // People write by day, and the clock may strike between two of them.
            #expect(histories[0] == histories[1] || histories[1] == histories[2])
            #expect(histories[2] != histories[3])
        }

        @Test(
            "A database that holds anything is left alone",
            arguments: [
                "INSERT INTO operators (name) VALUES ('x')", "INSERT INTO sources (name) VALUES ('x')",
                "INSERT INTO leads (name) VALUES ('x')",
            ])
        func notEmpty(content: String) async throws {
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                try await psql.query(content)
                let output = try await run(on: database)
                #expect(output.status == 1)
                #expect(output.standardError.contains("holds data already"), "\(output)")
                let rows =
                    "SELECT (SELECT count(*) FROM operators) + (SELECT count(*) FROM sources) + "
                    + "(SELECT count(*) FROM leads) + (SELECT count(*) FROM contacts)"
                #expect(try await psql.number(rows) == 1)
            }
        }

        @Test("Without a database URL it fills the private PostgreSQL, which serve then serves")
        func privatePostgres() async throws {
            let directory = try ScratchDirectory.makeSubdirectory("demo")
            let demo = try Command(["demo", "--contacts", "30"], in: directory)
            #expect(try await demo.process.end(within: .seconds(120)) == 0, "\(demo.standardError)")
            let instance = try await Instance.start(databaseURL: nil, in: directory)
            TestInstances.add(instance)
            #expect(try await instance.client.get("/api/v1/contacts").json.elements.count == 30)
            #expect(try await instance.stop() == 0)
        }

        @Test(
            "Numbers out of range are refused", arguments: [["--contacts", "0"], ["--days", "366"], ["--seed", "x"]])
        func range(arguments: [String]) async throws {
            let output = try await Command.run(["demo"] + arguments)
            #expect(output.status == 64)
            #expect(output.standardError.contains(arguments[0]), "\(output)")
        }
    }
}
