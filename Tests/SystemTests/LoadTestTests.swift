import Foundation
import TestSupport
import Testing

extension System {
    @Suite("The load test")
    struct LoadTests {
        @Test("A clean run: table, checks, JSON, exit status 0; and again on the same database")
        func clean() async throws {
            try await Deployment.open(instances: 2) { crm in
                for run in 1...2 {
                    let file = try ScratchDirectory.makeSubdirectory("json") + "/result.json"
                    let output = try await Command.run(
                        ["loadtest"] + crm.instances.flatMap { ["--url", $0.client.baseURL] }
                            + "--connections 20 --rate 100 --warmup 1 --duration 2 --sources 2 --operators 6".words
                            + "--close-share 0.3 --duplicate-share 0.5 --max-load 50 --json".words + [file])
                    #expect(output.status == 0, "\(output)")
                    for text in ["1 s warm-up", "waiting", "p99.9", "registrations", "closings", "201: ", "200: "] {
                        #expect(output.standardOutput.contains(text), "\(text) is not in \(output)")
                    }
                    #expect(!output.standardOutput.contains("\r") && !output.standardOutput.contains("\u{1B}"))

                    let result = try JSON(try Data(contentsOf: URL(fileURLWithPath: file)))
                    #expect(result["options"]["rate"] == 100)
                    #expect(result["errors"] == [:], "\(result)")
                    #expect(result["registrations"]["requests"].int == result["statuses"]["201"].int)
                    #expect(result["closings"]["requests"].int == result["statuses"]["200"].int)
                    let requests = try #require(result["registrations"]["requests"].int)
                    let closings = try #require(result["closings"]["requests"].int)
                    let unsent = try #require(result["unsent"].int)
                    // 100 requests a second are due for 2 s; some at the ends may fall on either side.
                    #expect((180...220).contains(requests + closings + unsent), "\(result)")
                    #expect((0.2...0.4).contains(Double(closings) / Double(requests + closings)))
                    let latency = result["registrations"]["latency_microseconds"]
                    #expect(latency.keys == ["50", "90", "99", "99.9", "100"])
                    #expect(try #require(latency["50"].int) <= #require(latency["100"].int))
                    let checks = result["checks"].elements
                    #expect(checks.count == 10)
                    #expect(checks.allSatisfy { $0["is_kept"] != false }, "\(result)")

                    #expect(try await crm.psql.number("SELECT count(*) FROM operators") == 6 * run)
                    #expect(try await crm.psql.number("SELECT count(*) FROM sources") == 2 * run)
                    let (contacts, leads) = (
                        try await crm.psql.number("SELECT count(*) FROM contacts"),
                        try await crm.psql.number("SELECT count(*) FROM leads")
                    )
                    #expect((0.35...0.65).contains(Double(leads) / Double(contacts)))
                }
            }
        }

        @Test(
            "Keys, repetitions, batches and priorities: each key counts once, by every strategy",
            arguments: [
                ("weighted_random", "1", "shares follow the weights"),
                ("smooth_weighted", "7", "each within one contact of its share"),
                ("least_loaded", "1", "loads are level"),
            ])
        func keys(strategy: String, batch: String, shares: String) async throws {
            try await Deployment.open(instances: 2) { crm in
                let file = try ScratchDirectory.makeSubdirectory("json") + "/result.json"
                let output = try await Command.run(
                    ["loadtest"] + crm.instances.flatMap { ["--url", $0.client.baseURL] }
                        + "--connections 20 --warmup 0 --duration 2 --sources 2 --operators 6 --key-share 0.7".words
                        + "--repeat-share 0.5 --priorities --strategy \(strategy) --batch \(batch) --json".words + [
                            file
                        ])
                #expect(output.status == 0, "\(output)")
                for promise in ["no key counted twice", "a repetition gets the first answer", shares] {
                    #expect(output.standardOutput.contains("ok     \(promise): "), "\(output)")
                }
                let isBatch = batch != "1"
                #expect(output.standardOutput.contains("ok     results of a batch in order: ") == isBatch, "\(output)")
                let facts = try await crm.psql.query(
                    """
                    SELECT count(DISTINCT priority) = 10, count(DISTINCT message) = count(*),
                        (SELECT count(DISTINCT key) > 10 AND count(*) < (SELECT count(*) FROM contacts)
                            FROM idempotency_keys),
                        (SELECT bool_and(strategy = '\(strategy)') FROM sources)
                    FROM contacts
                    """)
                #expect(facts == [Array(repeating: "t", count: 4)], "\(output)")
                let result = try JSON(try Data(contentsOf: URL(fileURLWithPath: file)))
                #expect(result["options"]["key_share"] == 0.7 && result["options"]["strategy"] == .string(strategy))
            }
        }

        @Test("Where keys are not kept, the load test says that they counted twice")
        func forgottenKeys() async throws {
            try await Deployment.open { crm in
                let output = try await interrupted(crm, "--key-share 1 --repeat-share 0.5 --connections 8") {
                    try await crm.psql.query(
                        """
                        CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                        CREATE TRIGGER forget BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION forget()
                        """)
                    let contacts = try await crm.psql.number("SELECT max(id) FROM contacts")
                    try await waitForContacts(crm, contacts + 300)
                }
                #expect(output.status == 1, "\(output)")
                for promise in [
                    "no key counted twice: registrations with two contacts: ", "a repetition gets the first answer",
                ] {
                    #expect(output.standardOutput.contains("BROKEN \(promise)"), "\(output)")
                }
            }
        }

        @Test("A key whose answer is lost is repeated until it is settled, also when an instance is killed")
        func killed() async throws {
            try await Deployment.open(instances: 2) { crm in
                let output = try await interrupted(crm, "--connections 16 --key-share 1 --batch 3") {
                    try await crm.instances[1].kill()
                }
                #expect(output.status == 0, "\(output)")
                #expect(output.standardOutput.contains(/ok     no key counted twice: [0-9,]+ keys/), "\(output)")
                #expect(output.standardOutput.contains("ok     nothing stored that was refused\n"), "\(output)")
            }
        }

        @Test(
            "A broken promise is told, and the exit status is 1",
            arguments: [
                ("no load over its limit", "UPDATE operators SET max_load = 1", "--close-share 0.1"),
                (
                    "each acknowledged contact present: missing: ",
                    """
                    DELETE FROM contacts
                    WHERE id = (SELECT min(id) FROM contacts WHERE status = 'active') AND status = 'active'
                    """, "--close-share 0.1"
                ),
                (
                    "what was closed stays closed",
                    """
                    UPDATE contacts SET status = 'active'
                    WHERE id = (SELECT min(id) FROM contacts WHERE status = 'closed')
                    """, "--close-share 0.1"
                ),
                (
                    "nothing stored that was refused: 1 more than acknowledged",
                    "INSERT INTO contacts (lead_id, source_id) SELECT lead_id, source_id FROM contacts WHERE id = 17",
                    "--close-share 0.1"
                ),
                (
                    "shares follow the weights: chi-square, source 1: p = ",
                    "UPDATE operator_source_weights SET weight = 1000 WHERE operator_id = 1", "--close-share 0.1"
                ),
                (
                    "each within one contact of its share: source 1: ",
                    "UPDATE operator_source_weights SET weight = 1000 WHERE operator_id = 1",
                    "--strategy smooth_weighted"
                ),
                (
                    "loads are level: from ", "UPDATE operators SET max_load = 100000000 WHERE id = 1",
                    "--strategy least_loaded"
                ),
            ])
        func broken(promise: String, statement: String, arguments: String) async throws {
            try await Deployment.open { crm in
                let output = try await interrupted(crm, "--operators 2 \(arguments)") {
                    try await crm.psql.query(statement)
                    let contacts = try await crm.psql.number("SELECT max(id) FROM contacts")
                    try await waitForContacts(crm, contacts + 500)
                }
                #expect(output.status == 1, "\(output)")
                #expect(output.standardOutput.contains("BROKEN \(promise)"), "\(output)")
                let lines = output.standardOutput.split(separator: "\n")
                #expect(lines.count { $0.hasPrefix("BROKEN") } == 1, "\(output)")
            }
        }

        @Test("Ctrl-C ends the load and prints the table and the checks; the exit status is theirs")
        func interrupt() async throws {
            try await Deployment.open { crm in
                let output = try await interrupted(crm, "") {}
                #expect(output.status == 0, "\(output)")
                #expect(output.standardError.contains("Stopping: what was done is checked first"), "\(output)")
                for text in ["registrations", "201: ", "load test", "ok     each acknowledged contact present"] {
                    #expect(output.standardOutput.contains(text), "\(text) is not in \(output)")
                }
            }
        }

        @Test("A second Ctrl-C ends the program, whatever it waits for")
        func interruptTwice() async throws {
            try await Deployment.open { crm in
                let command = try start(crm, "")
                defer { command.process.signal(SIGKILL) }
                try await waitForContacts(crm, 100)
                // The instance answers nothing any more.
                let lock = try Psql(crm.database.url)
                try await lock.query("BEGIN; LOCK TABLE contacts")
                try await eventually("the load test ends", within: .seconds(8)) {
                    command.process.signal(SIGINT)
                    return command.process.exitStatus != nil
                }
                #expect(command.process.exitStatus == 130)
                try await lock.query("ROLLBACK")
            }
        }

        @Test("In an open loop a stall counts for every request that was due meanwhile")
        func stall() async throws {
            try await Deployment.open { crm in
                let file = try ScratchDirectory.makeSubdirectory("json") + "/result.json"
                let output = try await interrupted(crm, "--connections 16 --rate 200 --json \(file)") {
                    try await crm.psql.query(
                        "BEGIN; LOCK TABLE assignment_gate; SELECT pg_sleep(2); COMMIT")
                    try await waitForContacts(crm, 700)
                }
                #expect(output.status == 0, "\(output)")
                let result = try JSON(try Data(contentsOf: URL(fileURLWithPath: file)))
                let slow = try #require(result["registrations"]["latency_microseconds"]["90"].int)
                // 400 requests were due, 280 of them more than 0.6 s before its end; 16 were under way.
                #expect(slow > 600_000, "\(result)")
            }
        }

        @Test("Failed requests are told by kind, and are no broken promise")
        func failures() async throws {
            try await Deployment.open(instances: 2) { crm in
                let output = try await interrupted(crm, "--connections 8") { try await crm.instances[1].kill() }
                #expect(output.status == 0, "\(output)")
                #expect(output.standardOutput.contains(/errors .*connection (closed|refused|reset)/), "\(output)")
            }
        }

        @Test(
            "What cannot be done is said on standard error at once",
            arguments: [
                ("--url https://localhost", "--url"), ("--url http://127.0.0.1:1", "connection refused"),
                ("--connections 0", "--connections"), ("--rate 0", "--rate"), ("--rate nan", "--rate"),
                ("--duration 0", "--duration"), ("--warmup -1", "--warmup"), ("--sources 0", "--sources"),
                ("--operators 0", "--operators"), ("--max-load 0", "--max-load"),
                ("--close-share 0.6", "--close-share"), ("--duplicate-share 2", "--duplicate-share"),
                ("--key-share 2", "--key-share"), ("--key-share 1 --repeat-share 2", "--repeat-share"),
                ("--repeat-share 0.5", "--key-share"), ("--batch 1001", "--batch"), ("--strategy x", "--strategy"),
                ("--seed x", "--seed"), ("--json /no/such/folder/file", "/no/such/folder/file"),
            ])
        func wrong(arguments: String, word: String) async throws {
            let output = try await Command.run(["loadtest"] + arguments.words)
            #expect(output.status > 0, "\(output)")
            #expect(output.standardError.contains(word), "\(output)")
            #expect(!output.standardError.contains("Fatal error"), "\(output)")
        }

        @Test("A password in --url is not printed")
        func password() async throws {
            let output = try await Command.run(["loadtest", "--url", "http://u:S3cret@127.0.0.1:8000"])
            #expect(output.status == 64)
            #expect(!"\(output)".contains("S3cret"), "\(output)")
        }

        private func start(_ crm: Deployment, _ arguments: String) throws -> Command {
            try Command(
                ["loadtest"] + crm.instances.flatMap { ["--url", $0.client.baseURL] }
                    + "--warmup 0 --duration 600".words + arguments.words)
        }

        /// Runs the body in the middle of a load test, then ends the load by Ctrl-C.
        private func interrupted(
            _ crm: Deployment, _ arguments: String, _ body: () async throws -> Void
        ) async throws -> Command.Output {
            let command = try start(crm, arguments)
            defer { command.process.signal(SIGKILL) }
            try await waitForContacts(crm, 200)
            try await body()
            command.process.signal(SIGINT)
            return try await command.end()
        }

        private func waitForContacts(_ crm: Deployment, _ count: Int) async throws {
            try await eventually("\(count) contacts") {
                try await crm.psql.number("SELECT coalesce(max(id), 0) FROM contacts") >= count
            }
        }
    }
}

extension String {
    fileprivate var words: [String] { split(separator: " ").map(String.init) }
}
