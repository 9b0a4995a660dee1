import Foundation
import TestSupport
import Testing

extension System {
    @Suite("Monitoring")
    struct Monitoring {
        private func metrics(_ crm: Deployment) async throws -> [String: Double] {
            let page = try await crm.client.get("/metrics")
            #expect(page.status == 200)
            return Dictionary(
                uniqueKeysWithValues: page.text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
                    let blank = line.lastIndex(of: " ")!
                    return (String(line[..<blank]), Double(line[line.index(after: blank)...])!)
                })
        }

        @Test("Metrics count requests and assignments, and tell loads and who waits")
        func counts() async throws {
            try await Deployment.open(environment: ["METRICS_PER_OPERATOR": "1"]) { crm in
                let operators = [try await crm.newOperator(maxLoad: 1), try await crm.newOperator(maxLoad: 2)]
                let source = try await crm.newSource(operators)
                var contacts: [Int] = []
                for _ in 1...5 {
                    let answer = try await crm.client.post("/api/v1/contacts", ["source_id": JSON(source)])
                    contacts.append(try #require(answer.json["id"].int))
                }
                #expect(try await crm.client.post("/api/v1/contacts", ["source_id": 777]).status == 404)
                #expect(
                    try await crm.client.patch("/api/v1/contacts/\(contacts[0])", ["status": "closed"]).status == 200)
                #expect(
                    try await crm.client.patch("/api/v1/contacts/\(contacts[0])", ["status": "active"]).status == 200)

                let values = try await metrics(crm)
                func requests(_ method: String, _ route: String, _ status: Int) -> Double? {
                    values[
                        "http_server_request_duration_seconds_count{http_request_method=\"\(method)\",http_route=\"\(route)\",http_response_status_code=\"\(status)\"}"
                    ]
                }
                #expect(requests("POST", "/api/v1/contacts", 201) == 5)
                #expect(requests("POST", "/api/v1/contacts", 404) == 1)
                #expect(requests("PATCH", "/api/v1/contacts/{contact_id}", 200) == 2)
                func assignments(_ outcome: String) -> Double? {
                    values["leads_crm_assignments_total{outcome=\"\(outcome)\"}"]
                }
                #expect(assignments("assigned") == 3)
                #expect(assignments("waiting") == 2)
                #expect(assignments("admitted") == 1)
                #expect(assignments("closed") == 1)
                #expect(assignments("reopened") == 1)
                #expect(assignments("refused") == 1)
                // Five registrations, two changes and the source's weights commit; refused commands do not.
                #expect(values["leads_crm_batch_size_count"] == 8)
                #expect(values["leads_crm_commit_duration_seconds_count"] == 8)

                #expect(values["leads_crm_load"] == 3)
                #expect(values["leads_crm_capacity"] == 3)
                // Both operators are full, and the page tells only the first.
                #expect(values["leads_crm_operator_load{operator_id=\"\(operators[0])\"}"] == 1)
                #expect(values["leads_crm_operator_max_load{operator_id=\"\(operators[0])\"}"] == 1)
                #expect(values["leads_crm_operator_load{operator_id=\"\(operators[1])\"}"] == nil)
                #expect(values["leads_crm_waiting_contacts{source_id=\"\(source)\"}"] == 2)
                let age = try #require(values["leads_crm_oldest_waiting_age_seconds{source_id=\"\(source)\"}"])
                #expect((0..<300).contains(age))
                #expect(values["leads_crm_database_up"] == 1)
                let started = try #require(values["process_start_time_seconds"])
                #expect(abs(Date().timeIntervalSince1970 - started) < 300)
                #expect(try #require(values["process_resident_memory_bytes"]) > 1e6)
            }
        }

        @Test("A transaction that is run again is counted under its SQLSTATE")
        func retries() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource([crm.newOperator(maxLoad: 1)])
                try await crm.psql.query(
                    """
                    CREATE SEQUENCE attempts;
                    GRANT USAGE ON SEQUENCE attempts TO leads_crm_service;
                    CREATE FUNCTION conflict_once() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF nextval('attempts') = 1 THEN RAISE serialization_failure; END IF;
                        RETURN NULL;
                    END
                    $$;
                    CREATE TRIGGER conflict_once AFTER INSERT ON contacts EXECUTE FUNCTION conflict_once()
                    """)
                #expect(try await crm.client.post("/api/v1/contacts", ["source_id": JSON(source)]).status == 201)
                #expect(try await metrics(crm)["leads_crm_transaction_retries_total{sqlstate=\"40001\"}"] == 1)
            }
        }

        @Test("The log has a JSON object on each line, finds a request by its id, and tells nothing about people")
        func log() async throws {
            try await Deployment.open(environment: ["LOG_LEVEL": "trace"]) { crm in
                let source = try await crm.newSource([crm.newOperator(maxLoad: 1)])
                let secrets = [
                    "+79005550199", "anna.karenina@example.org", "Anna Karenina", "Call me at noon", "ext-4711",
                ]
                let contact: JSON = [
                    "source_id": JSON(source), "lead_phone": .string(secrets[0]), "lead_email": .string(secrets[1]),
                    "lead_name": .string(secrets[2]), "message": .string(secrets[3]),
                    "lead_external_id": .string(secrets[4]),
                ]
                let headers = [
                    "content-type": "application/json", "x-request-id": "the-one-in-question",
                    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                ]
                let body = try Array(contact.data)
                let answer = try await crm.client.send("POST", "/api/v1/contacts", headers: headers, body: body)
                #expect(answer.status == 201)
                #expect(answer[header: "x-request-id"] == "the-one-in-question")
                _ = try await crm.client.get("/api/v1/leads?phone=%2B79005550199&email=anna.karenina@example.org")
                _ = try await crm.client.get("/api/v1/anna.karenina@example.org")
                // The database refuses the message and quotes it.
                try await crm.psql.query("ALTER TABLE leads ADD CONSTRAINT none CHECK (phone <> '+79005550198')")
                let refused = Array(#"{"source_id": \#(source), "lead_phone": "+79005550198"}"#.utf8)
                #expect(
                    try await crm.client.send("POST", "/api/v1/contacts", headers: headers, body: refused).status
                        == 409)

                let log = crm.instances[0].command.standardError
                let lines = try log.split(separator: "\n").map { try JSON(Array($0.utf8)) }
                #expect(lines.allSatisfy { $0.keys.isSuperset(of: ["time", "level", "logger", "message"]) })
                let registration = try #require(
                    lines.first {
                        $0["request_id"] == "the-one-in-question" && $0["message"] == "POST /api/v1/contacts 201"
                    })
                #expect(registration["trace_id"] == "0af7651916cd43dd8448eb211c80319c")
                #expect(registration["parent_id"] == "b7ad6b7169203331")
                for secret in secrets + ["79005550199", "+79005550198", "karenina"] {
                    #expect(!log.contains(secret))
                }
            }
        }

        @Test("LOG_FORMAT=text writes lines to read; another value is refused")
        func textLog() async throws {
            try await Deployment.open(environment: ["LOG_FORMAT": "text"]) { crm in
                let line = try #require(crm.instances[0].command.standardError.split(separator: "\n").first)
                #expect(line.wholeMatch(of: /\d{4}-\d\d-\d\dT\S+ info leads-crm.*/) != nil)
            }
            let refused = try await Command.run(["serve", "--database-url", "x"], environment: ["LOG_FORMAT": "xml"])
            #expect(refused.status != 0)
            #expect(refused.standardError.contains("LOG_FORMAT must be text or json."))
        }
    }
}
