import TestSupport
import Testing

extension System {
    @Suite("Bad input")
    struct BadInput {
        /// A request that must be refused.
        private struct Case: Sendable {
            /// Method and path.
            let call: String
            let body: [UInt8]
            var contentType = "application/json"
            let status: Int
            /// The types of all faults of a 422.
            let types: [String]
            /// The place of the first fault of a 422.
            let location: JSON

            init(_ call: String, _ body: Body, _ status: Int, _ types: String..., at location: JSON = .absent) {
                self.call = call
                self.body = body.bytes
                self.status = status
                self.types = types
                self.location = location
            }
        }

        private struct Body: ExpressibleByStringInterpolation {
            let bytes: [UInt8]
            init(bytes: [UInt8]) { self.bytes = bytes }
            init(stringLiteral text: String) { bytes = Array(text.utf8) }
        }

        @Test("What is no JSON is refused")
        func brokenJSON() async throws {
            let broken = [
                "{", "}", "{\"source_id\": 1,}", "{'source_id': 1}", "{\"source_id\": 1} x", "{\"source_id\": 01}",
                "{\"source_id\": 1", "nul", "\u{FEFF}{\"source_id\": 1}", "{\"message\": \"\u{1}\", \"source_id\": 1}",
                #"{"source_id": 1, "message": "\x"}"#, #"{"source_id": 1, "message": "\ud800"}"#,
                String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000),
                String(repeating: "{\"message\":", count: 10_000) + "1" + String(repeating: "}", count: 10_000),
                String(repeating: "[", count: 500_000),
            ]
            let invalidUTF8: [[UInt8]] = [
                Array("{\"source_id\": 1, \"message\": \"".utf8) + [0xFF, 0xFE] + Array("\"}".utf8),
                Array("{\"source_id\": 1, \"message\": \"".utf8) + [0xC0, 0x80] + Array("\"}".utf8),
                Array("{\"source_id\": 1, \"message\": \"".utf8) + [0xED, 0xA0, 0x80] + Array("\"}".utf8),
                [0x00], [0xFF, 0xFE, 0x7B, 0x00],
            ]
            let bodies = broken.map { Array($0.utf8) } + invalidUTF8
            try await refuses(bodies.map { Case("POST /api/v1/contacts", Body(bytes: $0), 422, "json_invalid") })
        }

        @Test("Missing fields, wrong types and values out of range are all named in one answer")
        func faults() async throws {
            let operators = "POST /api/v1/operators"
            let sources = "POST /api/v1/sources"
            let contacts = "POST /api/v1/contacts"
            let weights = "POST /api/v1/sources/1/distribution"
            try await refuses([
                Case(operators, "{}", 422, "missing", at: ["body", "name"]),
                Case(operators, "[]", 422, "model_attributes_type", at: ["body"]),
                Case(operators, "null", 422), Case(operators, "\"x\"", 422), Case(operators, "", 422),
                Case(operators, #"{"name": 5}"#, 422, "string_type", at: ["body", "name"]),
                Case(operators, #"{"name": null}"#, 422, "string_type", at: ["body", "name"]),
                Case(operators, #"{"name": "x", "max_load": 0}"#, 422, "greater_than_equal", at: ["body", "max_load"]),
                Case(operators, #"{"name": "x", "max_load": -1}"#, 422, "greater_than_equal"),
                Case(operators, #"{"name": "x", "max_load": 1.5}"#, 422, "int_from_float"),
                Case(operators, #"{"name": "x", "max_load": "many"}"#, 422, "int_parsing"),
                Case(operators, #"{"name": "x", "max_load": []}"#, 422, "int_type"),
                Case(operators, #"{"name": "x", "max_load": 2147483648}"#, 422, "less_than_equal"),
                Case(operators, #"{"name": "x", "max_load": 1e30}"#, 422),
                Case(operators, #"{"name": "x", "is_active": "perhaps"}"#, 422, "bool_parsing"),
                Case(operators, #"{"name": "x", "is_active": {}}"#, 422, "bool_type"),
                Case(
                    operators, #"{"name": [], "is_active": [], "max_load": 0}"#, 422, "string_type", "bool_type",
                    "greater_than_equal"),
                Case("PATCH /api/v1/operators/1", #"{"max_load": 0}"#, 422, "greater_than_equal"),
                Case("PATCH /api/v1/operators/1", #"{"is_active": 7}"#, 422, "bool_parsing"),
                Case(sources, "{}", 422, "missing", at: ["body", "name"]),
                Case(sources, #"{"name": {}, "description": 1}"#, 422, "string_type", "string_type"),
                Case("PATCH /api/v1/sources/1", #"{"name": 1}"#, 422, "string_type"),
                Case(
                    sources, #"{"name": "x", "strategy": "random", "sticky": 7}"#, 422, "literal_error", "bool_parsing",
                    at: ["body", "strategy"]),
                Case(sources, #"{"name": "x", "strategy": null}"#, 422, "literal_error"),
                Case("PATCH /api/v1/sources/1", #"{"strategy": "", "sticky": []}"#, 422, "literal_error", "bool_type"),
                Case(
                    weights, #"{"operator_weights": [{"operator_id": 1, "max_load": 0}]}"#, 422, "greater_than_equal",
                    at: ["body", "operator_weights", 0, "max_load"]),
                Case(contacts, #"{"source_id": 1, "priority": 10}"#, 422, "less_than_equal", at: ["body", "priority"]),
                Case(contacts, #"{"source_id": 1, "priority": -1}"#, 422, "greater_than_equal"),
                Case(contacts, #"{"source_id": 1, "priority": null}"#, 422, "int_type"),
                Case("PATCH /api/v1/contacts/1", #"{"priority": 10}"#, 422, "less_than_equal"),
                Case(weights, "{}", 422, "missing", at: ["body", "operator_weights"]),
                Case(weights, #"{"operator_weights": {}}"#, 422, "list_type"),
                Case(weights, #"{"operator_weights": [1]}"#, 422, at: ["body", "operator_weights", 0]),
                Case(
                    weights, #"{"operator_weights": [{}]}"#, 422, "missing",
                    at: ["body", "operator_weights", 0, "operator_id"]),
                Case(
                    "PUT /api/v1/sources/1/distribution",
                    #"{"operator_weights": [{"operator_id": 1, "weight": 0}, {"weight": "x"}]}"#, 422,
                    "greater_than_equal", "missing", "int_parsing"),
                Case(contacts, "{}", 422, "missing", at: ["body", "source_id"]),
                Case(contacts, #"{"source_id": "x"}"#, 422, "int_parsing"),
                Case(contacts, #"{"source_id": null}"#, 422, "int_type"),
                Case(contacts, #"{"source_id": 1, "lead_phone": 79001234567}"#, 422, "string_type"),
                Case(
                    contacts, #"{"lead_email": 1, "lead_name": [], "message": {}}"#, 422, "missing", "string_type",
                    "string_type", "string_type"),
                Case("PATCH /api/v1/contacts/1", #"{"status": "open"}"#, 422, "literal_error", at: ["body", "status"]),
                Case("PATCH /api/v1/contacts/1", #"{"operator_id": "x"}"#, 422, "int_parsing"),
            ])
        }

        @Test("Text that PostgreSQL cannot hold, and text without end, is refused")
        func text() async throws {
            let long = String(repeating: "x", count: 1 << 20)
            let longText = String(repeating: "ы", count: 500_000)
            try await refuses(
                [
                    Case("POST /api/v1/contacts", #"{"source_id": 1, "message": "a\u0000b"}"#, 422),
                    Case("POST /api/v1/contacts", #"{"source_id": 1, "lead_phone": "\u0000"}"#, 422),
                    Case("POST /api/v1/operators", #"{"name": "\u0000"}"#, 422),
                    Case("PATCH /api/v1/sources/1", #"{"description": "\u0000"}"#, 422),
                    Case("GET /api/v1/leads?phone=%00", "", 422),
                    Case("POST /api/v1/contacts", #"{"source_id": 1, "message": "\#(long)"}"#, 413),
                    Case(
                        "POST /api/v1/contacts", #"{"source_id": 1, "message": "\#(longText)"}"#, 422, "string_too_long"
                    ),
                ]
                    + ["lead_external_id", "lead_phone", "lead_email", "lead_name"].map {
                        Case(
                            "POST /api/v1/contacts", #"{"source_id": 1, "\#($0)": "\#(longText)"}"#, 422,
                            "string_too_long",
                            at: ["body", .string($0)])
                    }
                    + ["POST /api/v1/operators", "POST /api/v1/sources"].map {
                        Case($0, #"{"name": "\#(longText)"}"#, 422, "string_too_long", at: ["body", "name"])
                    })
        }

        @Test("Ids out of range are no way to fail")
        func ids() async throws {
            let huge = "99999999999999999999"
            let largest = String(Int64.max)
            let paths = ["operators", "sources", "contacts", "leads"].map { "GET /api/v1/\($0)/" }
            try await refuses(
                paths.flatMap { path in
                    [
                        Case(path + huge, "", 422, "int_parsing_size"), Case(path + largest, "", 404),
                        Case(path + "-1", "", 404), Case(path + "0", "", 404),
                        Case(path + "x", "", 422, "int_parsing"),
                        Case(path + "1.5", "", 422, "int_parsing"),
                        Case(path + "%00", "", 422, "int_parsing"),
                    ]
                } + [
                    Case("POST /api/v1/contacts", #"{"source_id": \#(huge)}"#, 422),
                    Case("POST /api/v1/contacts", #"{"source_id": \#(largest)}"#, 404),
                    Case("POST /api/v1/contacts", #"{"source_id": -9223372036854775808}"#, 404),
                    Case("PATCH /api/v1/contacts/1", #"{"operator_id": \#(huge)}"#, 422),
                    Case("PATCH /api/v1/contacts/1", #"{"operator_id": \#(largest)}"#, 404),
                    Case("PATCH /api/v1/contacts/\(largest)", #"{"status": "closed"}"#, 404),
                    Case(
                        "POST /api/v1/sources/1/distribution", #"{"operator_weights": [{"operator_id": \#(largest)}]}"#,
                        404),
                    Case(
                        "PUT /api/v1/sources/1/distribution", #"{"operator_weights": [{"operator_id": \#(huge)}]}"#,
                        422),
                    Case("GET /api/v1/contacts?operator_id=\(huge)", "", 422),
                    Case("GET /api/v1/contacts?after=\(huge)", "", 422),
                ])
        }

        @Test("A body of another type, and one that is too large, is refused")
        func bodies() async throws {
            let body: Body = #"{"source_id": 1}"#
            let large = Body(bytes: [UInt8](repeating: 0x20, count: 8 << 20))
            let types = ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data"]
            try await refuses(
                types.map { type in
                    var bad = Case("POST /api/v1/contacts", body, 415)
                    bad.contentType = type
                    return bad
                } + [
                    Case("POST /api/v1/contacts", large, 413),
                    Case("PATCH /api/v1/contacts/1", large, 413),
                ])
        }

        /// Sends requests to a desk that has one record of each kind, and looks at the answers and at what is stored.
        private func refuses(_ cases: [Case]) async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource([crm.newOperator()])
                _ = try await crm.registerOne(at: source)
                let before = try await contents(crm)
                for bad in cases {
                    let about: Comment = "\(bad.call) \(String(decoding: bad.body.prefix(100), as: UTF8.self))"
                    let call = bad.call.split(separator: " ").map(String.init)
                    let answer = try await crm.client.send(
                        call[0], call[1], headers: ["content-type": bad.contentType],
                        body: call[0] == "GET" ? nil : bad.body)
                    #expect(answer.status == bad.status, about)
                    #expect(answer[header: "content-type"] == "application/json", about)
                    #expect(answer.json.keys == ["detail", "code"], about)
                    guard answer.status == 422 else {
                        #expect(answer.json["detail"].string != nil, about)
                        continue
                    }
                    let faults = answer.json["detail"].elements
                    #expect(!faults.isEmpty, about)
                    for fault in faults {
                        #expect(fault.keys.isSuperset(of: ["type", "loc", "msg"]), about)
                        #expect(fault["msg"].string?.isEmpty == false, about)
                    }
                    if !bad.types.isEmpty { #expect(faults.map { $0["type"].string } == bad.types, about) }
                    if bad.location != .absent { #expect(faults.first?["loc"] == bad.location, about) }
                }
                #expect(try await contents(crm) == before)
                #expect(try await crm.client.get("/health").status == 200)
            }
        }

        /// All that is stored.
        private func contents(_ crm: Deployment) async throws -> [[[String]]] {
            var tables: [[[String]]] = []
            for table in [
                "operators", "sources", "operator_source_weights", "leads", "contacts", "distribution_counts",
                "contact_events",
            ] {
                tables.append(try await crm.psql.query("SELECT * FROM \(table) ORDER BY 1, 2"))
            }
            return tables
        }
    }
}
