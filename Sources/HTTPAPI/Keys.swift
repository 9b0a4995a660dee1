import Access
import CRM
import HTTPTypes
import Model

extension RouteGroup {
    static let keys = RouteGroup(
        "Keys", "Who may call the API.",
        [
            Route(
                .post, "/api/v1/keys", "create_key", scope: .admin, "Create a key",
                """
                The answer alone has the key: what is stored of it is a hash. Instances know it within seconds. An \
                `Idempotency-Key` means nothing here, as no answer is kept: where one was lost, revoke what the list shows.
                """,
                errors: [.sourceNotFound],
                reads: { $0.body(NewAPIKey.self, example: ["name": "Form on the web site", "scopes": ["register"]]) },
                answers: .json(
                    CreatedKey.self, "The key.", status: .created, example: CreatedKey.example,
                    links: [Link("revoke", to: "revoke_key", "key_id")])
            ) { api, new in
                let (key, text) = try await api.crm.createKey(new)
                return CreatedKey(key: key, text: text.text)
            },
            Route(
                .get, "/api/v1/keys", "list_keys", scope: .admin, "List the keys", "Without what is secret of them.",
                answers: .json([APIKey].self, "All keys, the oldest first; 1,000 at most.", example: [APIKey.example])
            ) { api in
                try await api.crm.keys()
            },
            Route(
                .delete, "/api/v1/keys/{key_id}", "revoke_key", scope: .admin, "Revoke a key",
                "All instances refuse it within 5 seconds.",
                errors: [.keyNotFound],
                reads: { $0.path("key_id", .text(), "The id of the key.", example: "a1B2c3D4") },
                answers: .nothing("The key is good for nothing any more.")
            ) { api, id in
                try await api.crm.revokeKey(id)
            },
        ])
}

extension Scope: JSONEncodable {
    static var schema: Schema {
        Schema(
            [
                "description": """
                What a key allows. `register`: to register contacts. `read`: to read what is stored. `operate`: to read, and to \
                change contacts. `metrics`: to read the metrics. `admin`: all.
                """,
                "type": "string", "enum": .array(allCases.map { .string($0.rawValue) }),
            ], named: "Scope")
    }
}

extension NewAPIKey: JSONReadable {
    static var schemaName: String { "KeyCreate" }

    init(_ fields: inout Fields) {
        self.init(
            name: fields.required("name", .text(upTo: 255), "Who has it, for what."),
            scopes: fields.required("scopes", .list(of: .word, in: 1...Scope.allCases.count)),
            sources: fields.optional(
                "source_ids", .list(of: .id(), in: 0...1000),
                "The sources at which it registers contacts; null: all. It limits nothing else."),
            rateLimit: fields.optional(
                "rate_limit", .count, "Requests a second, at each instance; more get 429. null: without limit."),
            expiresAt: fields.optional("expires_at", .timestamp, "Until when it is good (RFC 3339); null: for ever."))
    }
}

extension APIKey: JSONObject {
    static var schemaName: String { "Key" }
    static var words: String? { "A key to the API, without its secret." }

    static var example: JSON {
        [
            "id": "a1B2c3D4", "name": "Form on the web site", "scopes": ["register"], "source_ids": .null,
            "rate_limit": .null, "created_at": Timestamp.example, "expires_at": .null,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("id", "The part of the key that names it.") { $0.id }
        visitor.member("name", "Who has it, for what.") { $0.name }
        visitor.member("scopes") { $0.scopes }
        visitor.member("source_ids", "The sources at which it registers contacts; null: all.") { $0.sources }
        visitor.member("rate_limit", "Requests a second, at each instance; null: without limit.") { $0.rateLimit }
        visitor.member("created_at", "When it was made.") { $0.createdAt }
        visitor.member("expires_at", "Until when it is good; null: for ever.") { $0.expiresAt }
    }
}

/// A key that was just made.
struct CreatedKey: JSONObject {
    let key: APIKey
    let text: String

    static let schemaName = "CreatedKey"

    static var example: JSON {
        APIKey.example.merging(["key": "lcrm_a1B2c3D4_aVeryLongWordThatNobodyGuessesAtAll012345"])
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.members { $0.key }
        visitor.member("key", "Shown this once: `Authorization: Bearer` and this.") { $0.text }
    }
}
