import CRM
import HTTPTypes
import Model

extension RouteGroup {
    static let operators = RouteGroup(
        "Operators", "Who takes contacts, and how many.",
        [
            Route(
                .post, "/api/v1/operators", "create_operator", scope: .admin, "Create an operator",
                reads: {
                    $0.body(
                        NewOperator.self, example: ["name": "Иван Иванов", "is_active": true, "max_load": 15])
                },
                answers: .json(
                    Operator.self, "The operator.", status: .created,
                    example: Operator.example.merging(["current_load": 0]),
                    links: [
                        Link("get", to: "get_operator", "operator_id"),
                        Link("update", to: "update_operator", "operator_id"),
                        Link("contacts", to: "list_contacts", "operator_id"),
                    ])
            ) { api, new, idempotency in
                try await api.crm.createOperator(
                    name: new.name, isActive: new.isActive, maxLoad: new.maxLoad, idempotency)
            },
            Route(
                .get, "/api/v1/operators", "list_operators", scope: .read, "List the operators",
                reads: { $0.page() },
                answers: .list(of: Operator.self, "The operators, by id.", example: [Operator.example])
            ) { api, page in
                try await page.answer(by: \.id.rawValue) { try await api.crm.operators($0) }
            },
            Route(
                .get, "/api/v1/operators/{operator_id}", "get_operator", scope: .read, "Get an operator",
                errors: [.operatorNotFound],
                reads: { $0.operatorID() },
                answers: .json(Operator.self, "The operator.", example: Operator.example)
            ) { api, id in
                try await api.crm.operatorWith(id)
            },
            Route(
                .patch, "/api/v1/operators/{operator_id}", "update_operator", scope: .admin, "Change an operator",
                "Activating an operator or raising `max_load` lets waiting contacts in, oldest first.",
                errors: [.operatorNotFound],
                reads: { (id: $0.operatorID(), patch: $0.body(OperatorPatch.self, example: ["max_load": 20])) },
                answers: .json(
                    Operator.self, "The operator.",
                    example: Operator.example.merging(["max_load": 20, "updated_at": Timestamp.example]))
            ) { api, input, _, completion in
                api.crm.updateOperator(input.id, input.patch, completion: completion)
            },
            Route(
                .post, "/api/v1/operators/{operator_id}/release", "release_operator", scope: .operate,
                "Take an operator's contacts away",
                """
                Each active contact, or each that is named, goes to another operator, or waits at its place in the queue. None \
                comes back in this call: set `is_active` to false first, or the operator may get them again after it. It takes \
                some 200 in each transaction; 503 `outcome_unknown` means that some were released and others were not, and the \
                same call goes on with them.
                """,
                errors: [.operatorNotFound],
                reads: { (id: $0.operatorID(), contacts: $0.body(ReleaseRequest.self, example: [:]).contacts) },
                answers: .json(
                    Release.self, "What became of the contacts.",
                    example: ["released": 12, "reassigned": 9, "waiting": 3])
            ) { api, input, idempotency in
                try await api.crm.release(input.id, input.contacts, idempotency)
            },
            Route(
                .delete, "/api/v1/operators/{operator_id}", "delete_operator", scope: .admin, "Delete an operator",
                "With the weights. Only an operator who never had a contact; others are to be deactivated.",
                errors: [.operatorNotFound, .inUse],
                reads: { $0.operatorID() }, answers: .nothing("The operator is gone.")
            ) { api, id in
                try await api.crm.deleteOperator(id)
            },
        ])
}

extension Input {
    mutating func operatorID() -> OperatorID {
        path("operator_id", .id(), as: "OperatorID", "The id of the operator.", example: 1)
    }
}

/// The body of a new operator.
struct NewOperator: JSONReadable {
    let name: String
    let isActive: Bool
    let maxLoad: Int32

    static let schemaName = "OperatorCreate"

    init(_ fields: inout Fields) {
        name = fields.required("name", .text(upTo: 255), "The operator's name.")
        isActive = fields.required(
            "is_active", .boolean, default: true, "Whether the operator is given new contacts.")
        maxLoad = fields.required(
            "max_load", .count, default: 10, "The most active contacts the operator may hold at once.")
    }
}

/// Which contacts an operator loses.
struct ReleaseRequest: JSONReadable {
    let contacts: [ContactID]?

    static let schemaName = "OperatorRelease"

    init(_ fields: inout Fields) {
        contacts = fields.optional(
            "contact_ids", .list(of: .id(), in: 0...10_000),
            "Only these; those that the operator does not hold are passed over. Without it all active contacts.")
    }
}

extension Release: JSONObject {
    static var schemaName: String { "Release" }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("released", "Contacts that were taken from the operator.", ["minimum": 0]) { $0.released }
        visitor.member("reassigned", "Those of them that have another operator now.", ["minimum": 0]) { $0.reassigned }
        visitor.member("waiting", "Those of them that wait.", ["minimum": 0]) { $0.waiting }
    }
}

extension OperatorPatch: JSONReadable {
    static var schemaName: String { "OperatorUpdate" }
    static var words: String? { "What is absent or null stays as it is." }

    init(_ fields: inout Fields) {
        self.init(
            name: fields.optional("name", .text(upTo: 255), "The operator's name."),
            isActive: fields.optional("is_active", .boolean, "Whether the operator is given new contacts."),
            maxLoad: fields.optional(
                "max_load", .count,
                """
                The most active contacts the operator may hold at once. Below `current_load` nothing is taken away, and no \
                new contact comes until there is room again.
                """))
    }
}

extension Operator: JSONObject {
    static var schemaName: String { "Operator" }
    static var words: String? { "A person who takes contacts." }

    static var example: JSON {
        [
            "id": 1, "name": "Иван Иванов", "is_active": true, "max_load": 15, "created_at": Timestamp.example,
            "current_load": 1, "updated_at": .null,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("id", "Identifies the operator.") { $0.id }
        visitor.member("name") { $0.name }
        visitor.member("is_active", "Whether the operator is given new contacts.") { $0.isActive }
        visitor.member(
            "max_load", "The most active contacts the operator may hold at once.", ["minimum": 1]
        ) { $0.maxLoad }
        visitor.member("created_at", "When the operator was created.") { $0.createdAt }
        visitor.member(
            "current_load",
            """
            The number of active contacts the operator holds. It is above `max_load` only after `max_load` was lowered.
            """, ["minimum": 0]
        ) { $0.currentLoad }
        visitor.member("updated_at", "When the operator was last changed.") { $0.updatedAt }
    }
}
