import CRM
import HTTPTypes
import Model

extension RouteGroup {
    static let statistics = RouteGroup(
        "Statistics", "What happened, by the hour and by operator.",
        [
            Route(
                .get, "/api/v1/stats/shares", "get_shares", scope: .read, "Compare shares with weights",
                """
                How the contacts of each source were shared among its operators in a span of time, and how today's weights \
                would have it. Counted are contacts given to an operator while they had none: registered, or let in from the \
                queue; not transfers from one operator to another. The span is taken in whole hours of UTC, 1,500 at most.
                """,
                reads: { (source: $0.sourceFilter(), span: $0.span(.hour, from: "24 hours before `to`")) },
                answers: .json(
                    [SourceShare].self,
                    "A row for each source and operator who has a weight there or was given a contact, by both ids.",
                    example: [SourceShare.example])
            ) { api, input in
                try await api.crm.shares(input.span.checked(), of: input.source)
            },
            Route(
                .get, "/api/v1/stats/timeline", "get_timeline", scope: .read, "Show what happened when",
                """
                Whole minutes, hours or days of UTC that have any time of the span, 1,500 at most.
                """,
                reads: { input in
                    let bucket = input.query(
                        "bucket", .word, default: BucketSpan.Bucket.hour, as: "Bucket", "How long each entry's time is."
                    )
                    return (
                        source: input.sourceFilter(),
                        span: input.span(bucket, from: "60 minutes, 24 hours or 30 days before `to`, by `bucket`")
                    )
                },
                answers: .json(
                    [TimelineEntry].self, "An entry for each, the oldest first.", example: [TimelineEntry.example])
            ) { api, input in
                try await api.crm.timeline(input.span.checked(), of: input.source)
            },
        ])
}

extension Input {
    fileprivate mutating func sourceFilter() -> SourceID? {
        query("source_id", .id(), as: "StatisticsSource", "Only contacts of this source.")
    }

    fileprivate mutating func span(_ bucket: BucketSpan.Bucket, from words: String) -> BucketSpan {
        let from = query("from", .timestamp, "Where the span begins (RFC 3339). Absent: \(words).")
        let to = query("to", .timestamp, as: "To", "Where the span ends (RFC 3339). Absent: now.")
        return BucketSpan(bucket, from: from, to: to ?? .now)
    }
}

extension BucketSpan {
    /// - Throws: ``Refusal/invalid(_:)``.
    fileprivate func checked() throws(Refusal) -> BucketSpan {
        let misfit: Misfit
        switch count {
        case ..<1: misfit = Misfit("value_error", "Value error, the span must begin before its end")
        case 1...Self.limit: return self
        default:
            misfit = Misfit(
                "value_error", "Value error, the span has \(count) \(bucket.rawValue)s, and \(Self.limit) are the most")
        }
        throw .invalid([Fault(location: [.name("query"), .name("from")], misfit: misfit)])
    }
}

extension BucketSpan.Bucket: JSONEncodable {}

extension SourceShare: JSONObject {
    static var schemaName: String { "SourceShare" }
    static var words: String? { "What an operator was given of a source's contacts, beside what the weights say." }

    static var example: JSON {
        [
            "source_id": 1, "source_name": "Telegram Bot #1", "operator_id": 1, "operator_name": "Иван Иванов",
            "weight": 10, "expected_percent": 25, "assigned": 12, "actual_percent": 30, "deviation_points": 5,
            "limited": false,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("source_id", "The source.") { $0.sourceID }
        visitor.member("source_name") { $0.sourceName }
        visitor.member("operator_id", "The operator.") { $0.operatorID }
        visitor.member("operator_name") { $0.operatorName }
        visitor.member("weight", "The operator's weight at the source, today; null: none.") { $0.weight }
        visitor.member("expected_percent", "`weight` in percent of the sum of the source's weights.") {
            $0.expectedPercent
        }
        visitor.member("assigned", "How many contacts the operator was given.", ["minimum": 0]) { $0.assigned }
        visitor.member(
            "actual_percent", "`assigned` in percent of what all operators were given of the source; null if none was."
        ) { $0.actualPercent }
        visitor.member("deviation_points", "`actual_percent` less `expected_percent`.") { $0.deviationPoints }
        visitor.member(
            "limited",
            """
            Whether the operator held `max_load` contacts, from all sources, at any moment of the hours: then others got \
            what was due by weight, and limits, not weights, decided. What was full before this was recorded is not known.
            """
        ) { $0.limited }
    }
}

extension TimelineEntry: JSONObject {
    static var schemaName: String { "TimelineEntry" }
    static var words: String? { "What happened in a minute, an hour or a day." }

    static var example: JSON {
        [
            "at": "2026-11-23T10:00:00Z", "registered": 120, "assigned": 118, "closed": 97, "median_wait_seconds": 0,
            "p90_wait_seconds": .number(27.554),
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("at", "When it begins.") { $0.at }
        visitor.member("registered", "Contacts that came.", ["minimum": 0]) { $0.registered }
        visitor.member(
            "assigned", "Contacts given to an operator while they had none: at once, or from the queue.",
            ["minimum": 0]
        ) { $0.assigned }
        visitor.member("closed", "Contacts that were closed.", ["minimum": 0]) { $0.closed }
        visitor.member(
            "median_wait_seconds",
            """
            Of those assigned, how long half of them had waited at most, 0 if at once; null without any. Waits are counted by \
            classes, each longer by a fifth than the one before, of which the middle is told: it is right to 9 %.
            """, ["minimum": 0]
        ) { $0.medianWait }
        visitor.member("p90_wait_seconds", "The same for nine of ten.", ["minimum": 0]) { $0.p90Wait }
    }
}
