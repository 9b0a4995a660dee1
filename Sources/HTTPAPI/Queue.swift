import CRM
import HTTPTypes
import Model

extension RouteGroup {
    static let queue = RouteGroup(
        "Queue", "Who waits, where, and why.",
        [
            Route(
                .get, "/api/v1/queue", "list_queues", scope: .read, "List the sources at which contacts wait",
                reads: { $0.page() },
                answers: .list(
                    of: SourceQueue.self, "The sources at which at least one contact waits, by id.",
                    example: [SourceQueue.example])
            ) { api, page in
                try await page.answer(by: \.sourceID.rawValue) { try await api.crm.queues($0) }
            },
            Route(
                .get, "/api/v1/sources/{source_id}/queue", "get_queue", scope: .read, "List who waits at a source",
                "`after` is the id of the last contact seen; the list goes on behind its place in the queue.",
                errors: [.sourceNotFound],
                reads: { (id: $0.sourceID(), page: $0.page()) },
                answers: .list(
                    of: QueuedContact.self, "The source's waiting contacts, in the order in which they are let in.",
                    example: [QueuedContact.example])
            ) { api, input in
                try await input.page.answer(by: \.details.contact.id.rawValue) {
                    try await api.crm.queue(of: input.id, $0)
                }
            },
        ])
}

extension SourceQueue.Reason: JSONEncodable {}

extension SourceQueue: JSONObject {
    static var schemaName: String { "SourceQueue" }
    static var words: String? { "Contacts that wait at a source." }

    static var example: JSON {
        [
            "source_id": 1, "source_name": "Telegram Bot #1", "waiting": 12, "oldest_created_at": Timestamp.example,
            "oldest_age_seconds": .number(42.25), "reason": "all_full",
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("source_id", "The source.") { $0.sourceID }
        visitor.member("source_name") { $0.sourceName }
        visitor.member("waiting", "How many contacts wait.", ["minimum": 1]) { $0.waiting }
        visitor.member("oldest_created_at", "When the oldest of them was registered.") { $0.oldestCreatedAt }
        visitor.member("oldest_age_seconds", "How long ago that was.", ["minimum": 0]) { $0.oldestAge }
        visitor.member(
            "reason",
            """
            `no_operators`: nobody has a weight at the source. `none_active`: nobody of those who have one is active. \
            `all_full`: those who are active hold `max_load` contacts. null: somebody has room by now, and who waits is let \
            in within `SWEEP_INTERVAL`.
            """
        ) { $0.reason }
    }
}

extension QueuedContact: JSONObject {
    static var schemaName: String { "QueuedContact" }
    static var words: String? { "A contact that waits, with its place in the queue." }

    static var example: JSON {
        ContactDetails.example.merging(["operator_id": .null, "operator": .null, "position": 1])
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.members { $0.details }
        visitor.member(
            "position", "Its place among those that wait at the source, as things are: 1 is let in next.",
            ["minimum": 1]
        ) { $0.position }
    }
}
