import CRM
import HTTPTypes
import Model

extension RouteGroup {
    static let sources = RouteGroup(
        "Sources", "Where contacts come from, and who takes them with which weight.",
        [
            Route(
                .post, "/api/v1/sources", "create_source", scope: .admin, "Create a source",
                errors: [.sourceNameTaken],
                reads: {
                    $0.body(NewSource.self, example: ["name": "Telegram Bot #1", "description": "Основной бот"])
                },
                answers: .json(
                    Source.self, "The source.", status: .created, example: Source.example,
                    links: [
                        Link("get", to: "get_source", "source_id"), Link("update", to: "update_source", "source_id"),
                        Link("set_distribution", to: "set_distribution", "source_id"),
                        Link("replace_distribution", to: "replace_distribution", "source_id"),
                        Link("get_distribution", to: "get_distribution", "source_id"),
                        Link("register_contact", to: "register_contact", body: ["source_id": "$response.body#/id"]),
                        Link("contacts", to: "list_contacts", "source_id"),
                    ])
            ) { api, new, idempotency in
                try await api.crm.createSource(
                    name: new.name, description: new.description, strategy: new.strategy, isSticky: new.isSticky,
                    idempotency)
            },
            Route(
                .get, "/api/v1/sources", "list_sources", scope: .read, "List the sources",
                reads: { $0.page() },
                answers: .list(of: Source.self, "The sources, by id.", example: [Source.example])
            ) { api, page in
                try await page.answer(by: \.id.rawValue) { try await api.crm.sources($0) }
            },
            Route(
                .get, "/api/v1/sources/{source_id}", "get_source", scope: .read, "Get a source",
                errors: [.sourceNotFound],
                reads: { $0.sourceID() },
                answers: .json(Source.self, "The source.", example: Source.example)
            ) { api, id in
                try await api.crm.source(id)
            },
            Route(
                .patch, "/api/v1/sources/{source_id}", "update_source", scope: .admin, "Change a source",
                errors: [.sourceNotFound, .sourceNameTaken],
                reads: {
                    (id: $0.sourceID(), patch: $0.body(SourcePatch.self, example: ["description": "Основной бот"]))
                },
                answers: .json(Source.self, "The source.", example: Source.example)
            ) { api, input in
                try await api.crm.updateSource(
                    input.id, name: input.patch.name, description: input.patch.description,
                    strategy: input.patch.strategy, isSticky: input.patch.isSticky)
            },
            Route(
                .delete, "/api/v1/sources/{source_id}", "delete_source", scope: .admin, "Delete a source",
                "With its weights. Only a source that never had a contact.",
                errors: [.sourceNotFound, .inUse],
                reads: { $0.sourceID() }, answers: .nothing("The source is gone.")
            ) { api, id in
                try await api.crm.deleteSource(id)
            },
            Route(
                .post, "/api/v1/sources/{source_id}/distribution", "set_distribution", scope: .admin, "Set weights",
                """
                Creates or changes the weight of each operator named; the others stay. All or nothing. Waiting contacts of \
                the source are let in, the first in the queue first.
                """,
                errors: [.sourceNotFound, .operatorNotFound, .sourceMismatch],
                reads: { $0.weights() },
                answers: .json(
                    [OperatorSourceWeight].self, "The weights named in the call, in its order.", status: .created,
                    example: OperatorSourceWeight.examples)
            ) { api, weights, idempotency, completion in
                try api.crm.setDistribution(
                    of: weights.id, weights.checked(), replacing: false, idempotency, completion: completion)
            },
            Route(
                .put, "/api/v1/sources/{source_id}/distribution", "replace_distribution", scope: .admin,
                "Replace all weights",
                "As `POST`, but operators that are not named lose their weight: an empty list clears the distribution.",
                errors: [.sourceNotFound, .operatorNotFound, .sourceMismatch],
                reads: { $0.weights() },
                answers: .json(
                    [OperatorSourceWeight].self, "The weights named in the call, in its order.",
                    example: OperatorSourceWeight.examples)
            ) { api, weights, _, completion in
                try api.crm.setDistribution(
                    of: weights.id, weights.checked(), replacing: true, completion: completion)
            },
            Route(
                .get, "/api/v1/sources/{source_id}/distribution", "get_distribution", scope: .read,
                "List the weights",
                errors: [.sourceNotFound],
                reads: { (id: $0.sourceID(), page: $0.page()) },
                answers: .list(
                    of: OperatorSourceWeight.self, "The weights, by id.", example: OperatorSourceWeight.examples)
            ) { api, input in
                try await input.page.answer(by: \.id) { try await api.crm.distribution(of: input.id, $0) }
            },
            Route(
                .delete, "/api/v1/sources/{source_id}/distribution/{operator_id}", "remove_weight", scope: .admin,
                "Take an operator from a source", "Contacts stay where they are.",
                errors: [.sourceNotFound, .operatorNotFound, .weightNotFound],
                reads: { (sourceID: $0.sourceID(), operatorID: $0.operatorID()) },
                answers: .nothing("The operator has no weight at the source any more.")
            ) { api, input in
                try await api.crm.removeWeight(of: input.operatorID, at: input.sourceID)
            },
            .previewDistribution,
        ])
}

extension Input {
    mutating func sourceID() -> SourceID {
        path("source_id", .id(), as: "SourceID", "The id of the source.", example: 1)
    }

    fileprivate mutating func weights() -> DistributionRequest {
        DistributionRequest(
            id: sourceID(),
            weights: body(
                DistributionUpdate.self,
                example: [
                    "operator_weights": [
                        ["operator_id": 1, "source_id": 1, "weight": 10],
                        ["operator_id": 2, "source_id": 1, "weight": 30],
                    ]
                ]
            ).weights)
    }
}

/// Weights for the source in the path.
struct DistributionRequest {
    let id: SourceID
    let weights: [NewWeight]

    /// - Throws: ``Refusal/differentSource(inBody:inPath:)``.
    func checked() throws(Refusal) -> [WeightAssignment] {
        if let other = weights.lazy.compactMap(\.sourceID).first(where: { $0 != id }) {
            throw .differentSource(inBody: other, inPath: id)
        }
        return weights.map(\.assignment)
    }
}

/// The body of a new source.
struct NewSource: JSONReadable {
    let name: String
    let description: String?
    let strategy: Strategy
    let isSticky: Bool

    static let schemaName = "SourceCreate"

    init(_ fields: inout Fields) {
        name = fields.required("name", .text(upTo: 255), "Unique among the sources.")
        description = fields.optional("description", .text(upTo: 4096), "What the source is.")
        strategy = fields.required("strategy", .word, default: .weightedRandom)
        isSticky = fields.required("sticky", .boolean, default: false, Source.stickyWords)
    }
}

/// What to change of a source; `nil` leaves it as it is.
struct SourcePatch: JSONReadable {
    let name: String?
    let description: String?
    let strategy: Strategy?
    let isSticky: Bool?

    static let schemaName = "SourceUpdate"
    static var words: String? { "What is absent or null stays as it is." }

    init(_ fields: inout Fields) {
        name = fields.optional("name", .text(upTo: 255), "Unique among the sources.")
        description = fields.optional("description", .text(upTo: 4096), "What the source is.")
        strategy = fields.optional("strategy", .word)
        isSticky = fields.optional("sticky", .boolean, Source.stickyWords)
    }
}

/// The weights of a source's operators.
struct DistributionUpdate: JSONReadable {
    let weights: [NewWeight]

    static let schemaName = "DistributionUpdate"

    init(_ fields: inout Fields) {
        weights = fields.list("operator_weights", of: NewWeight.self, upTo: 10_000)
    }
}

/// An operator's weight, and the source if the body names it, which must be the one in the path.
struct NewWeight: JSONReadable {
    let assignment: WeightAssignment
    let sourceID: SourceID?

    static let schemaName = "OperatorWeight"

    init(_ fields: inout Fields) {
        let operatorID: OperatorID = fields.required("operator_id", .id(), "The operator.")
        sourceID = fields.optional("source_id", .id(), "The source in the path; it may be left out.")
        assignment = WeightAssignment(
            operatorID: operatorID,
            weight: fields.required(
                "weight", .count, default: 1,
                "The share is this over the sum of the weights of those who are available."),
            maxLoad: fields.optional("max_load", .count, OperatorSourceWeight.maxLoadWords))
    }
}

extension Strategy: JSONEncodable {
    static var schema: Schema {
        Schema(
            [
                "description": """
                By what contacts go to those who are available. `weighted_random`: by chance, weight over the sum of weights. \
                `smooth_weighted`: in turn, so that each one stays within one contact of that share while the same ones \
                are available. `least_loaded`: to the smallest `current_load` / `max_load`, of equal ones to who waited \
                longest for a contact of the source, then by chance.
                """,
                "type": "string", "enum": .array(allCases.map { .string($0.rawValue) }),
            ], named: "Strategy")
    }
}

extension Source: JSONObject {
    fileprivate static let stickyWords = """
        Whether a lead who comes back goes to the operator of their last contact at any source, if that one takes this \
        source's contacts and has room; else the strategy decides.
        """

    static var schemaName: String { "Source" }
    static var words: String? { "Where contacts come from: a bot, a form, a mailbox." }

    static var example: JSON {
        [
            "id": 1, "name": "Telegram Bot #1", "description": "Основной бот", "created_at": Timestamp.example,
            "strategy": "weighted_random", "sticky": false,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("id", "Identifies the source.") { $0.id }
        visitor.member("name", "Unique among the sources.") { $0.name }
        visitor.member("description") { $0.description }
        visitor.member("created_at", "When the source was created.") { $0.createdAt }
        visitor.member("strategy") { $0.strategy }
        visitor.member("sticky", stickyWords) { $0.isSticky }
    }
}

extension OperatorSourceWeight: JSONObject {
    static var schemaName: String { "OperatorSourceWeight" }
    static var words: String? { "An operator's weight at a source." }

    fileprivate static let maxLoadWords = """
        The most active contacts of this source that the operator may hold, besides the operator's own `max_load`; null: as \
        many as that one. Below what is held nothing is taken away, and no new contact comes until there is room again.
        """

    static var examples: JSON {
        [
            [
                "id": 1, "operator_id": 1, "source_id": 1, "weight": 10, "created_at": Timestamp.example,
                "max_load": .null,
            ],
            [
                "id": 2, "operator_id": 2, "source_id": 1, "weight": 30, "created_at": Timestamp.example, "max_load": 5,
            ],
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("id", "Identifies the weight.", ["minimum": 1]) { $0.id }
        visitor.member("operator_id", "The operator.") { $0.operatorID }
        visitor.member("source_id", "The source.") { $0.sourceID }
        visitor.member("weight", "The operator's weight at this source.", ["minimum": 1]) { $0.weight }
        visitor.member("created_at", "When the weight was created.") { $0.createdAt }
        visitor.member("max_load", maxLoadWords) { $0.maxLoad }
    }
}
