import TestSupport
import Testing

extension System {
    @Suite("Statistics")
    struct Statistics {
        @Test("Shares and the timeline count what instances and psql did, and say who was full")
        func counts() async throws {
            try await Deployment.open(instances: 2) { crm in
                let (anna, boris) = (try await crm.newOperator(maxLoad: 2), try await crm.newOperator(maxLoad: 100))
                let (source, other) = (try await crm.newSource(), try await crm.newSource())
                try await crm.setWeights(of: source, [anna: 3, boris: 1])
                let contacts = try await crm.register(20, at: source)
                try await crm.register(3, at: other)
                try await crm.psql.query("UPDATE contacts SET status = 'closed' WHERE id = \(contacts[0])")

                let shares = try await crm.client(1).get("/api/v1/stats/shares")
                #expect(shares.status == 200)
                #expect(shares.json.elements.allSatisfy { $0.keys == Shape.share })
                #expect(shares.json.elements.map { $0["operator_id"].int } == [anna, boris])
                let given = try await crm.psql.numbers(
                    """
                    SELECT count(DISTINCT contact_id) FROM contact_events WHERE operator_id IS NOT NULL
                    GROUP BY operator_id ORDER BY operator_id
                    """)
                #expect(shares.json.elements.map { $0["assigned"].int } == given)
                #expect(shares.json.elements.map { $0["expected_percent"].double } == [75, 25])
                #expect(shares.json.elements.map { $0["actual_percent"].double } == given.map { Double($0) * 5 })
                #expect(shares.json.elements.map { $0["limited"] } == [true, false])
                #expect(try await crm.client.get("/api/v1/stats/shares?source_id=\(other)").json == [])

                for bucket in ["minute", "hour", "day"] {
                    for (filter, registered) in [("", 23), ("&source_id=\(source)", 20), ("&source_id=77", 0)] {
                        let answer = try await crm.client.get("/api/v1/stats/timeline?bucket=\(bucket)\(filter)")
                        #expect(answer.status == 200)
                        #expect(answer.json.elements.count == ["minute": 60, "hour": 24, "day": 30][bucket])
                        #expect(answer.json.elements.allSatisfy { $0.keys == Shape.timelineEntry })
                        func sum(_ name: String) -> Int {
                            answer.json.elements.compactMap { $0[name].int }.reduce(0, +)
                        }
                        #expect(sum("registered") == registered && sum("closed") == (registered > 0 ? 1 : 0))
                        #expect(sum("assigned") == (registered > 0 ? 20 : 0))
                        let waits = answer.json.elements.filter { $0["assigned"] != 0 }.map {
                            $0["median_wait_seconds"]
                        }
                        #expect(waits.allSatisfy { $0.double == 0 }, "\(waits)")
                    }
                }
            }
        }

        @Test("A span is taken in whole buckets, and has no more of them than a client may ask for")
        func spans() async throws {
            try await Deployment.open { crm in
                let path = "/api/v1/stats/timeline?from=2026-11-23T10:11:12Z"
                let hours = try await crm.client.get("\(path)&to=2026-11-23T15:00:00%2B03:00").json.elements
                #expect(hours.map { $0["at"] } == ["2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"])
                let days = try await crm.client.get("\(path)&to=2026-11-24T00:00:00.000001Z&bucket=day").json.elements
                #expect(days.map { $0["at"] } == ["2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"])
                let most = try await crm.client.get("\(path)&to=2026-11-24T11:11:00Z&bucket=minute").json.elements
                #expect(most.count == 1500)
                for (query, type) in [
                    ("timeline?from=2026-11-23T10:11:12Z&to=2026-11-24T11:11:01Z&bucket=minute", "value_error"),
                    ("timeline?from=2000-01-01T00:00:00Z", "value_error"), ("timeline?bucket=week", "literal_error"),
                    ("timeline?from=2026-11-23T10:00:00Z&to=2026-11-23T10:00:00Z", "value_error"),
                    ("timeline?from=2026-11-23", "datetime_parsing"), ("timeline?source_id=x", "int_parsing"),
                    ("timeline?to=2026-02-30T00:00:00Z", "datetime_parsing"), ("timeline?limit=1", "extra_forbidden"),
                    ("shares?from=2000-01-01T00:00:00Z", "value_error"), ("shares?bucket=day", "extra_forbidden"),
                    ("shares?to=9999-12-31T24:00:00Z", "datetime_parsing"),
                ] {
                    let answer = try await crm.client.get("/api/v1/stats/\(query)")
                    #expect(answer.status == 422 && answer.json["code"] == "invalid_request", "\(query)")
                    #expect(answer.json["detail"][0]["type"] == .string(type), "\(query): \(answer)")
                }
                let last = try await crm.client.get("/api/v1/stats/timeline?to=9999-12-31T23:59:59.999999Z&bucket=day")
                #expect(last.status == 200 && last.json.elements.count == 30)
                let first = try await crm.client.get(
                    "/api/v1/stats/shares?from=0001-01-01T00:00:00Z&to=0001-01-01T00:00:01Z")
                #expect(first.status == 200 && first.json == [])
            }
        }
    }
}
