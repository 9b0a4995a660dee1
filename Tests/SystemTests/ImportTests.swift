import Foundation
import TestSupport
import Testing

extension System {
    @Suite("import-sqlite")
    struct Import {
        private static let everything = """
            SELECT (SELECT json_agg(to_jsonb(o) - 'updated_at' ORDER BY id) FROM operators AS o),
                (SELECT json_agg(s ORDER BY id) FROM sources AS s),
                (SELECT json_agg(w ORDER BY id) FROM operator_source_weights AS w),
                (SELECT json_agg(l ORDER BY id) FROM leads AS l), (SELECT json_agg(c ORDER BY id) FROM contacts AS c),
                (SELECT json_agg(e ORDER BY id) FROM contact_events AS e),
                (SELECT json_agg(d ORDER BY source_id, operator_id) FROM distribution_counts AS d)
            """

        private func run(_ file: OldServiceFile, _ database: TestDatabase) async throws -> Command.Output {
            try await Command.run(["import-sqlite", file.path, "--database-url", database.url])
        }

        private func expectCountersRight(_ database: TestDatabase) async throws {
            let check = try await Command.run(["check", "--database-url", database.url])
            #expect(check.status == 0, "\(check)")
        }

        @Test("Ids, times and values are kept, counters and history are right, and new ids go on after the largest")
        func good() async throws {
            let file = try OldServiceFile(OldServiceFile.schema, OldServiceFile.crm)
            // The import also works on a database without tables.
            try await TestDatabase.with(.none) { database in
                let output = try await run(file, database)
                #expect(output.status == 0, "\(output)")
                #expect(output.standardError.contains("100 %  10 of 10 rows"), "\(output)")
                #expect(!output.standardError.contains("\r"), "no bar in a file")
                let psql = try Psql(database.url)
                try await psql.query("SET TimeZone = 'UTC'")
                let operators = try await psql.query(
                    "SELECT id, name, is_active, max_load, current_load, created_at FROM operators ORDER BY id")
                #expect(
                    operators == [
                        ["3", "Анна", "t", "5", "1", "2025-03-01 09:00:00.000001+00"],
                        ["7", "Борис", "f", "10", "0", "2025-03-01 09:05:00+00"],
                    ])
                let weights = try await psql.query(
                    "SELECT id, operator_id, source_id, weight FROM operator_source_weights ORDER BY id")
                #expect(weights == [["11", "3", "4", "10"], ["12", "7", "4", "30"]])
                let leads = try await psql.query(
                    "SELECT id, external_id, phone, email, name, created_at, updated_at FROM leads ORDER BY id")
                #expect(
                    leads == [
                        [
                            "21", "tg-1", "+79001234567", "a@example.org", "Пётр", "2025-03-03 10:11:12.123456+00",
                            "",
                        ],
                        ["22", "", "", "", "", "2025-03-04 10:00:00+00", "2025-03-05 10:00:00+00"],
                    ])
                let contacts = try await psql.query(
                    "SELECT id, lead_id, source_id, operator_id, status, message IS NULL FROM contacts ORDER BY id")
                #expect(
                    contacts == [
                        ["31", "21", "4", "3", "active", "f"], ["32", "22", "4", "", "active", "t"],
                        ["40", "21", "4", "3", "closed", "f"],
                    ])
                let events = try await psql.query(
                    "SELECT contact_id, operator_id, status, created_at FROM contact_events ORDER BY id")
                #expect(
                    events == [
                        ["31", "3", "active", "2025-03-03 10:11:12.123456+00"],
                        ["32", "", "active", "2025-03-04 10:00:00+00"],
                        ["40", "3", "closed", "2025-03-06 10:00:00+00"],
                    ])
                try await expectCountersRight(database)

                let instance = try await Instance.start(databaseURL: database.url)
                TestInstances.add(instance)
                let operatorID = try await instance.client.post("/api/v1/operators", ["name": "Вера"]).json["id"]
                #expect(operatorID == 8)
                let contact = try await instance.client.post(
                    "/api/v1/contacts", ["source_id": 4, "lead_phone": "+7 (900) 123-45-67"])
                #expect(contact.json["id"] == 41, "\(contact)")
                #expect(contact.json["lead_id"] == 21)
                // The contact that waited longer was let in first.
                #expect(try await instance.client.get("/api/v1/contacts/32").json["operator_id"] == 3)
            }
        }

        @Test("A second import adds nothing and leaves what has changed since; one of a grown file adds what is new")
        func twice() async throws {
            let file = try OldServiceFile(OldServiceFile.schema, OldServiceFile.crm)
            try await TestDatabase.with { database in
                #expect(try await run(file, database).status == 0)
                let psql = try Psql(database.url)
                try await psql.query("UPDATE contacts SET status = 'closed', updated_at = now() WHERE id = 31")
                try await psql.query("UPDATE operators SET name = 'Анна П.', max_load = 9 WHERE id = 3")
                try await psql.query("DELETE FROM operator_source_weights WHERE id = 12")
                let before = try await psql.query(Self.everything)
                let second = try await run(file, database)
                #expect(second.status == 0, "\(second)")
                #expect(second.standardOutput.contains(/contacts +0 +3 +0/), "\(second)")
                #expect(try await psql.query(Self.everything) == before)

                try file.write(
                    "INSERT INTO contacts VALUES (41, 21, 4, 3, 'active', 'ещё', '2025-04-03 10:11:12.123456', NULL)")
                let third = try await run(file, database)
                #expect(third.standardOutput.contains(/contacts +1 +3 +0/), "\(third)")
                #expect(try await psql.numbers("SELECT current_load FROM operators ORDER BY id") == [1, 0])
                try await expectCountersRight(database)
            }
        }

        @Test("An operator over the limit keeps all contacts and the limit, and gets nothing new")
        func overshoot() async throws {
            let file = try OldServiceFile(
                OldServiceFile.schema, OldServiceFile.crm,
                "UPDATE operators SET max_load = 2 WHERE id = 3;",
                "INSERT INTO contacts SELECT id + 100, 21, 4, 3, 'active', NULL, created_at, NULL FROM contacts")
            try await TestDatabase.with { database in
                let output = try await run(file, database)
                #expect(output.status == 0, "\(output)")
                #expect(output.standardOutput.contains("operators 3, max_load: 2, holds 4"), "\(output)")
                let psql = try Psql(database.url)
                let loads = try await psql.query("SELECT max_load, current_load FROM operators ORDER BY id")
                #expect(loads == [["2", "4"], ["10", "0"]])
                await #expect(throws: Psql.Failure.self) {
                    try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (21, 4, 3)")
                }
                try await expectCountersRight(database)
            }
        }

        @Test("What breaks the rules is changed as little as they allow, told, and no contact is left out")
        func faults() async throws {
            let file = try OldServiceFile(
                OldServiceFile.schema, OldServiceFile.crm,
                """
                INSERT INTO leads VALUES (23, 'tg-1', '+7 (900) 123-45-67', ' A@Example.ORG ', 'двойник', '2025-03-07 10:00:00', NULL),
                    (24, '', '8 800', NULL, NULL, NULL, NULL), (25, NULL, '8800', NULL, NULL, '2025-03-07 10:00:00', NULL);
                INSERT INTO operators VALUES (8, '', 1, 0, '2025-03-01 09:00:00');
                INSERT INTO sources VALUES (5, 'Telegram Bot #1', NULL, '2025-03-01 09:00:00');
                INSERT INTO operator_source_weights VALUES (13, 3, 4, 1, '2025-03-02 10:00:00'),
                    (14, 99, 4, 1, '2025-03-02 10:00:00'), (15, 7, 5, 0, '2025-03-02 10:00:00'),
                    (16, 3, 5, 99999999999, '2025-03-02 10:00:00');
                INSERT INTO contacts VALUES (50, 23, 4, 3, 'in_progress', NULL, '2025-03-08 10:00:00', NULL),
                    (51, 98, 97, 96, 'ACTIVE', 'a' || char(0) || 'b', '2025-03-08 10:00:00', NULL),
                    (52, 25, 5, 3, NULL, NULL, '2025-03-08 10:00:00', NULL);
                """)
            try await TestDatabase.with { database in
                let log = file.path + ".csv"
                let output = try await Command.run(
                    ["import-sqlite", file.path, "--changes", log, "--database-url", database.url])
                #expect(output.status == 0, "\(output)")
                let psql = try Psql(database.url)
                let leads = try await psql.query(
                    "SELECT id, external_id, phone, email FROM leads WHERE id > 22 ORDER BY id")
                #expect(
                    leads == [["23", "", "", ""], ["24", "", "8800", ""], ["25", "", "", ""], ["98", "", "", ""]])
                let contacts = try await psql.query(
                    "SELECT id, lead_id, source_id, operator_id, status, message FROM contacts WHERE id >= 50 ORDER BY id"
                )
                #expect(
                    contacts == [
                        ["50", "23", "4", "3", "closed", ""], ["51", "98", "97", "", "active", "ab"],
                        ["52", "25", "5", "3", "closed", ""],
                    ])
                let operators = try await psql.query("SELECT name, is_active, max_load FROM operators WHERE id = 8")
                #expect(operators == [["Operator 8", "f", "1"]])
                let sources = try await psql.query("SELECT id, name FROM sources ORDER BY id")
                #expect(sources == [["4", "Telegram Bot #1"], ["5", "Telegram Bot #1 #5"], ["97", "Source 97"]])
                let weights = try await psql.query(
                    "SELECT id, weight FROM operator_source_weights WHERE id > 12 ORDER BY id")
                #expect(weights == [["16", "2147483647"]])
                try await expectCountersRight(database)

                let lines = try String(contentsOfFile: log, encoding: .utf8)
                for line in [
                    "leads,23,external_id,tg-1 (lead 21),", "leads,23,phone,+79001234567 (lead 21),",
                    "leads,23,phone,+7 (900) 123-45-67,+79001234567", "leads,23,email, A@Example.ORG ,a@example.org",
                    "leads,25,phone,8800 (lead 24),", "leads,24,created_at,,", "leads,98,id,,98",
                    "leads,24,external_id,\"\",", "sources,97,id,,97",
                    "sources,5,name,Telegram Bot #1,Telegram Bot #1 #5", "operators,8,name,,Operator 8",
                    "operators,8,max_load,0,1", "operators,8,is_active,1,0", "contacts,51,operator_id,96,",
                    "contacts,50,status,in_progress,closed", "contacts,52,status,,closed",
                    "contacts,51,message,a\0b,ab", #"operator_source_weights,13,weight,"1 (operator 3, source 4)","#,
                ] {
                    #expect(lines.contains("\n\(line),"), "\(line) in \(lines)")
                }
                let permissions = try FileManager.default.attributesOfItem(atPath: log)[.posixPermissions] as? Int
                #expect(permissions == 0o600)
                // A second import adds nothing, and so tells of no change.
                let before = try await psql.query(Self.everything)
                let second = try await run(file, database)
                #expect(second.status == 0, "\(second)")
                #expect(!second.standardOutput.contains("normalised") && !second.standardOutput.contains("leads 23"))
                #expect(try await psql.query(Self.everything) == before)
            }
        }

        @Test(
            "A file that cannot be imported is refused with the reason, and nothing is changed",
            arguments: [
                ("DROP TABLE leads", "the table leads"),
                ("ALTER TABLE contacts DROP COLUMN message", "the column contacts.message"),
                ("UPDATE contacts SET created_at = 'now' WHERE id = 32", "contacts 32: created_at 'now' is no time"),
                ("UPDATE leads SET created_at = '2025-13-01 00:00:00' WHERE id = 22", "2025-13-01"),
                ("UPDATE operators SET max_load = 'many' WHERE id = 7", "operators 7: max_load 'many'"),
                ("UPDATE operators SET is_active = NULL WHERE id = 7", "operators 7: is_active 'NULL'"),
                ("UPDATE contacts SET lead_id = 'x' WHERE id = 31", "'x' is no id"),
                ("INSERT INTO sources VALUES (-1, 'x', NULL, NULL)", "'-1' is no id"),
                (
                    "INSERT INTO contacts VALUES (60, 21, 4, 'x', 'active', NULL, NULL, NULL)",
                    "contacts 60: operator_id 'x'"
                ),
            ])
        func refused(damage: String, reason: String) async throws {
            let file = try OldServiceFile(OldServiceFile.schema, OldServiceFile.crm, damage)
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                let before = try await psql.query(Self.everything)
                let output = try await run(file, database)
                #expect(output.status == 1, "\(output)")
                #expect(output.standardError.contains(reason), "\(output)")
                #expect(try await psql.query(Self.everything) == before)
            }
        }

        @Test("A file that is missing, or no SQLite database, is refused")
        func noDatabase() async throws {
            let file = try OldServiceFile(OldServiceFile.schema)
            try Data("Well, this is a letter and no database. ".utf8).write(to: URL(fileURLWithPath: file.path))
            try await TestDatabase.with { database in
                let letter = try await run(file, database)
                #expect(letter.status == 1)
                #expect(letter.standardError.contains("file is not a database"), "\(letter)")
                let missing = try await Command.run(["import-sqlite", "/no/such", "--database-url", database.url])
                #expect(missing.status == 1)
                #expect(missing.standardError.contains("/no/such: unable to open"), "\(missing)")
            }
        }

        @Test(
            "Other data under the same ids are refused, and nothing is changed",
            arguments: [
                "INSERT INTO operators (id, name) VALUES (7, 'x')", "INSERT INTO sources (id, name) VALUES (4, 'x')",
                "INSERT INTO leads (id, name) VALUES (22, 'x')",
            ])
        func conflict(other: String) async throws {
            let file = try OldServiceFile(OldServiceFile.schema, OldServiceFile.crm)
            try await TestDatabase.with { database in
                let psql = try Psql(database.url)
                try await psql.query(other)
                let before = try await psql.query(Self.everything)
                let output = try await run(file, database)
                #expect(output.status == 1)
                #expect(output.standardError.contains("other data under the same ids"), "\(output)")
                #expect(try await psql.query(Self.everything) == before)
            }
        }

        @Test("An instance beside it goes on: its requests wait for the import, and nothing is lost or counted twice")
        func runningInstance() async throws {
            let file = try OldServiceFile(
                OldServiceFile.schema, OldServiceFile.crm,
                """
                WITH RECURSIVE n (id) AS (SELECT 100 UNION ALL SELECT id + 1 FROM n WHERE id < 20100)
                INSERT INTO contacts SELECT id, 21, 4, 7, 'closed', NULL, '2025-03-08 10:00:00', NULL FROM n
                """)
            try await Deployment.open { crm in
                let import1 = try await run(file, crm.database)
                #expect(import1.status == 0, "\(import1)")
                try file.write(
                    """
                    WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 30)
                    INSERT INTO contacts SELECT id, 21, 4, 7, 'closed', NULL, '2025-03-08 10:00:00', NULL FROM n
                    """)
                async let second = run(file, crm.database)
                let registered = try await crm.register(200, at: 4)
                #expect(try await second.status == 0)
                #expect(Set(registered).count == 200)
                #expect(registered.first! > 20100)
                #expect(try await crm.psql.number("SELECT count(*) FROM contacts") == 3 + 20001 + 30 + 200)
            }
        }
    }
}
