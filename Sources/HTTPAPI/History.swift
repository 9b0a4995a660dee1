import CRM
import HTTPTypes
import Model

extension Route {
    static let contactHistory = Route(
        .get, "/api/v1/contacts/{contact_id}/history", "get_contact_history", scope: .read,
        "Tell what became of a contact",
        errors: [.contactNotFound],
        reads: { (id: $0.contactID(), page: $0.page()) },
        answers: .list(
            of: ContactEvent.self, "What became of it, the oldest first.", example: [ContactEvent.example])
    ) { api, input in
        try await input.page.answer(by: \.id) { try await api.crm.history(of: input.id, $0) }
    }

    static let contactExplanation = Route(
        .get, "/api/v1/contacts/{contact_id}/explanation", "get_contact_explanation", scope: .read,
        "Explain why this operator",
        """
        How it was decided, each time, who gets the contact: recorded when it was, and kept for `EXPLANATION_TTL`. Changes that \
        were made in the database are not among it; the history has them. Where a transaction had to do with more \
        than 5,000 weights, those alone are candidates who had room. Of several steps in one transaction the last is shown.
        """,
        errors: [.contactNotFound],
        reads: { (id: $0.contactID(), page: $0.page()) },
        answers: .list(
            of: AssignmentExplanation.self, "Each time that it was given to somebody or had to wait, the oldest first.",
            example: [AssignmentExplanation.example])
    ) { api, input in
        try await input.page.answer(by: \.eventID) { try await api.crm.explanations(of: input.id, $0) }
    }
}

extension ContactEvent.Kind: JSONEncodable {}
extension AssignmentExplanation.Reason: JSONEncodable {}

extension ContactCause: JSONEncodable {
    static var schema: Schema {
        Schema(
            [
                "description": """
                Why a contact moved. `place_freed`, `operator_activated`, `limit_raised` and `distribution_changed`: it waited, \
                and that made room. `sweep`: it was found waiting beside room that no call had made. `sql`: somebody \
                changed it in the database.
                """,
                "type": "string", "enum": .array(allCases.map { .string($0.rawValue) }),
            ], named: "ContactCause")
    }
}

extension ContactEvent: JSONObject {
    static var schemaName: String { "ContactEvent" }
    static var words: String? { "What a contact became." }

    static var example: JSON {
        [
            "event": "contact.transferred", "at": Timestamp.example, "operator_id": 2, "operator_name": "Анна Петрова",
            "previous_operator_id": 1, "status": "active", "cause": "release", "actor": .null,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member(
            "event",
            """
            `contact.assigned`: to an operator while it had none. `contact.transferred`: from one to another. \
            `contact.released`: it waits again.
            """
        ) { $0.kind }
        visitor.member("at", "When it happened.") { $0.at }
        visitor.member("operator_id", "Who has the contact from then on; null: nobody.") { $0.after.operatorID }
        visitor.member("operator_name") { $0.operatorName }
        visitor.member("previous_operator_id", "Who had it before.") { $0.before?.operatorID }
        visitor.member("status", "From then on.") { $0.after.status }
        visitor.member("cause", "null: from before causes were kept.") { $0.cause }
        visitor.member("actor", "Who changed it in the database: `sql:` and a role; null: the service.") { $0.actor }
    }
}

extension AssignmentExplanation: JSONObject {
    static var schemaName: String { "AssignmentExplanation" }
    static var words: String? { "How it was decided who gets a contact, or that it waits." }

    static var example: JSON {
        [
            "at": Timestamp.example, "cause": "registered", "strategy": "weighted_random", "sticky": false,
            "chosen": ["operator_id": 2, "weight": 30, "probability": .number(0.75)],
            "candidates": [
                [
                    "operator_id": 1, "operator_name": "Иван Иванов", "weight": 10, "current_load": 3, "max_load": 10,
                    "available": true, "reason": .null,
                ],
                [
                    "operator_id": 2, "operator_name": "Анна Петрова", "weight": 30, "current_load": 4, "max_load": 10,
                    "available": true, "reason": .null,
                ],
                [
                    "operator_id": 3, "operator_name": "Олег Смирнов", "weight": 20, "current_load": 15,
                    "max_load": 15, "available": false, "reason": "full",
                ],
            ],
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("at", "When it was decided.") { $0.at }
        visitor.member("cause") { $0.cause }
        visitor.member("strategy", "The source's, then.") { $0.strategy }
        visitor.member("sticky", "Whether it went to the operator of the lead's last contact.") { $0.isSticky }
        visitor.member("chosen", "Who got it; null: it waits.") { $0.chosen }
        visitor.member(
            "candidates", "Who had a weight at the source, with loads as they were at that moment, by id."
        ) { $0.candidates }
    }
}

extension AssignmentExplanation.Choice: JSONObject {
    static var schemaName: String { "AssignmentChoice" }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("operator_id", "The operator.") { $0.operatorID }
        visitor.member("weight", "At the source; null: none, somebody transferred it.", ["minimum": 1]) { $0.weight }
        visitor.member(
            "probability", "With which it was this one; 1: no chance had a part in it.", ["minimum": 0, "maximum": 1]
        ) { $0.probability }
    }
}

extension AssignmentExplanation.Candidate: JSONObject {
    static var schemaName: String { "AssignmentCandidate" }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("operator_id", "The operator.") { $0.operatorID }
        visitor.member("operator_name", "As it is now; null: deleted since.") { $0.operatorName }
        visitor.member("weight", "At the source.", ["minimum": 1]) { $0.weight }
        visitor.memberIfPresent(
            "credit",
            "For `smooth_weighted`: what was owed, of which a contact takes the sum of weights. Absent: nothing was counted."
        ) { $0.credit }
        visitor.member("current_load", "Before the contact.", ["minimum": 0]) { $0.currentLoad }
        visitor.member("max_load", nil, ["minimum": 0]) { $0.maxLoad }
        visitor.member("available", "Whether the operator could be chosen.") { $0.reason == nil }
        visitor.member(
            "reason",
            """
            Why not: `inactive`, `full`, `source_share_full` (the weight's `max_load`), or `passed_over`: contacts were just \
            taken from this operator, or this place is another's who waits longer. null: available.
            """
        ) { $0.reason }
    }
}
