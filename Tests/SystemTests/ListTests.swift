import TestSupport
import Testing

extension System {
    @Suite("Lists")
    struct Lists {
        @Test("Every list comes in pages, ordered by id, each with a link to the next")
        func pages() async throws {
            try await Deployment.open { crm in
                let operators = try await inParallel(5) { _ in try await crm.newOperator() }
                let sources = try await inParallel(5) { _ in try await crm.newSource() }
                let source = sources.min()!
                try await crm.setWeights(of: source, Dictionary(uniqueKeysWithValues: operators.map { ($0, 1) }))
                try await crm.register(5, at: source)
                for path in [
                    "/api/v1/operators", "/api/v1/sources", "/api/v1/contacts", "/api/v1/leads",
                    "/api/v1/sources/\(source)/distribution", "/api/v1/contacts?status=active&source_id=\(source)",
                ] {
                    let all = try await crm.client.get(path)
                    #expect(all.json.elements.count == 5)
                    #expect(all[header: "link"] == nil)
                    let ids = all.json.elements.compactMap { $0["id"].int }
                    #expect(ids == ids.sorted())

                    let separator = path.contains("?") ? "&" : "?"
                    var next: String? = path + separator + "limit=2"
                    var pages: [[JSON]] = []
                    while let link = next {
                        let page = try await crm.client.get(link)
                        #expect(page.status == 200)
                        pages.append(page.json.elements)
                        next = try page[header: "link"].map { header in
                            try String(#require(header.wholeMatch(of: /<(.*)>; *rel="next"/), "\(header)").1)
                                .replacing(crm.client.baseURL, with: "")
                        }
                    }
                    #expect(pages.map(\.count) == [2, 2, 1], "\(path)")
                    #expect(pages.flatMap(\.self) == all.json.elements, "\(path)")
                    let rest = try await crm.client.get(path + separator + "after=\(ids[1])")
                    #expect(rest.json.elements == Array(all.json.elements[2...]), "\(path)")
                }
            }
        }

        /// The pages of a list, from the first to the last.
        private func pages(of path: String, _ crm: Deployment) async throws -> [Client.Response] {
            var pages = [try await crm.client.get(path)]
            while let header = pages.last![header: "link"] {
                let link = try #require(header.wholeMatch(of: /<(.*)>; *rel="next"/), "\(header)").1
                pages.append(try await crm.client.get(String(link)))
                try #require(pages.count < 100)
            }
            return pages
        }

        @Test("A page ends at 8 MiB too, and the list goes on from there", arguments: ["x", "\u{1}"])
        func size(character: String) async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                // The messages are 13 MB of text; JSON makes six times that of characters that each take an escape.
                try await crm.psql.query("INSERT INTO leads (id) SELECT generate_series(1, 20)")
                try await crm.psql.query(
                    """
                    INSERT INTO contacts (lead_id, source_id, message)
                    SELECT 1 + n / 10, \(source), repeat(chr(\(character.unicodeScalars.first!.value)), 65536)
                    FROM generate_series(0, 199) AS n
                    """)
                let contacts = try await pages(of: "/api/v1/contacts?source_id=\(source)", crm)
                #expect(contacts.flatMap { $0.json.elements.compactMap { $0["id"].int } } == Array(1...200))
                let leads = try await pages(of: "/api/v1/leads", crm)
                #expect(leads.flatMap { $0.json.elements.compactMap { $0["id"].int } } == Array(1...20))
                #expect(
                    leads.flatMap { $0.json.elements.map { $0["contacts"].elements.count } }.allSatisfy { $0 == 10 })
                // The last entry, of ten messages, may pass the bound.
                let limit = (8 << 20) + 10 * 6 * 65536 + 100_000
                for page in contacts + leads {
                    let size = page.body.count
                    #expect(page.status == 200 && size < limit, "\(size)")
                }
            }
        }

        @Test(
            "A lead comes with its newest 1,000 contacts, in id order, says how many there are, and where the others are"
        )
        func manyContacts() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                try await crm.psql.query("INSERT INTO leads (id) VALUES (1), (2), (3)")
                for (lead, count, size) in [(1, 1500, 10), (2, 3, 10), (3, 200, 65536)] {
                    try await crm.psql.query(
                        """
                        INSERT INTO contacts (lead_id, source_id, message)
                        SELECT \(lead), \(source), repeat('x', \(size)) FROM generate_series(1, \(count))
                        """)
                }
                let lead = try await crm.client.get("/api/v1/leads/1")
                #expect(lead.json["contacts"].elements.compactMap { $0["id"].int } == Array(501...1500))
                #expect(lead.json["contacts_count"] == 1500)
                #expect(lead[header: "link"] == "</api/v1/contacts?lead_id=1>; rel=\"related\"")
                let small = try await crm.client.get("/api/v1/leads/2")
                #expect(small.json["contacts"].elements.count == 3 && small.json["contacts_count"] == 3)
                #expect(small[header: "link"] == nil)
                let large = try await crm.client.get("/api/v1/leads/3")
                #expect(large.json["contacts"].elements.compactMap { $0["id"].int } == Array(1576...1703))
                #expect(large.json["contacts_count"] == 200 && large[header: "link"] != nil)
                #expect(try await pages(of: "/api/v1/leads", crm).map { $0.json.elements.count } == [2, 1])
            }
        }

        @Test("A lead whose messages take escapes in JSON comes with as many contacts as fit, and no more")
        func escapes() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                try await crm.psql.query("INSERT INTO leads (id) VALUES (1)")
                try await crm.psql.query(
                    """
                    INSERT INTO contacts (lead_id, source_id, message)
                    SELECT 1, \(source), repeat(chr(1), 65536) FROM generate_series(1, 100)
                    """)
                let lead = try await crm.client.get("/api/v1/leads/1")
                let (shown, size) = (lead.json["contacts"].elements.compactMap { $0["id"].int }, lead.body.count)
                #expect(size < 9_000_000 && shown == Array(80...100), "\(size), \(shown)")
                #expect(lead.json["contacts_count"] == 100 && lead[header: "link"] != nil)
            }
        }

        @Test("A list has at most 1000 elements, and 1000 if nothing else is asked for")
        func limit() async throws {
            try await Deployment.open { crm in
                try await crm.psql.query(
                    "INSERT INTO operators (name) SELECT 'Operator ' || n FROM generate_series(1, 1001) AS n")
                let standard = try await crm.client.get("/api/v1/operators")
                #expect(standard.json.elements.count == 1000)
                #expect(standard[header: "link"]?.contains("after=1000") == true)
                #expect(try await crm.client.get("/api/v1/operators?limit=1000").json == standard.json)
                #expect(try await crm.client.get("/api/v1/operators?after=1000").json.elements.count == 1)
                for (query, type) in [
                    ("limit=0", "greater_than_equal"), ("limit=1001", "less_than_equal"), ("limit=x", "int_parsing"),
                    ("after=-1", "greater_than_equal"), ("after=x", "int_parsing"),
                ] {
                    let answer = try await crm.client.get("/api/v1/operators?\(query)")
                    #expect(answer.status == 422, "\(query)")
                    #expect(answer.json["detail"][0]["type"] == .string(type), "\(query)")
                    #expect(answer.json["detail"][0]["loc"][0] == "query")
                }
            }
        }

        @Test("Contacts are filtered by status, operator, source, lead, and by whether they wait")
        func contactFilters() async throws {
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 2)
                let (bot, form) = (try await crm.newSource([anna]), try await crm.newSource())
                let closed = try await crm.registerOne(at: bot)
                _ = try await crm.client.patch("/api/v1/contacts/\(closed["id"])", ["status": "closed"])
                let held = try await crm.registerOne(at: bot)
                let waiting = try await crm.registerOne(at: form)
                let expected: [(String, [JSON])] = [
                    ("status=active", [held["id"], waiting["id"]]),
                    ("status=closed", [closed["id"]]),
                    ("operator_id=\(anna)", [closed["id"], held["id"]]),
                    ("source_id=\(form)", [waiting["id"]]),
                    ("lead_id=\(held["lead_id"])", [held["id"]]),
                    ("waiting=true", [waiting["id"]]),
                    ("waiting=false", [closed["id"], held["id"], waiting["id"]]),
                    ("operator_id=\(anna)&status=active", [held["id"]]),
                    ("source_id=\(bot)&waiting=true", []),
                    ("operator_id=77", []), ("source_id=77", []), ("lead_id=77", []),
                ]
                for (query, ids) in expected {
                    let answer = try await crm.client.get("/api/v1/contacts?\(query)")
                    #expect(answer.status == 200, "\(query)")
                    #expect(answer.json.elements.map { $0["id"] } == ids, "\(query)")
                }
                for query in ["status=open", "operator_id=x", "source_id=1.5", "lead_id=", "waiting=maybe"] {
                    let answer = try await crm.client.get("/api/v1/contacts?\(query)")
                    #expect(answer.status == 422, "\(query)")
                }
            }
        }
    }
}
