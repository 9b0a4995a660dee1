import CRM
import HTTPTypes
import Model

extension RouteGroup {
    static let contacts = RouteGroup(
        "Contacts", "What is distributed.",
        [
            Route(
                .post, "/api/v1/contacts", "register_contact", scope: .register, "Register a contact",
                """
                The contact goes to one of the source's operators who are active and below their `max_load`, by the source's \
                `strategy`. If there is none it waits: the highest `priority` is let in first, then the oldest. It belongs \
                to the lead with the same external id, else phone, else email, else to a new lead.
                """,
                errors: [.sourceNotFound],
                reads: {
                    (
                        new: $0.body(
                            NewContact.self,
                            example: [
                                "source_id": 1, "lead_phone": "+79001234567", "lead_name": "Петр Петров",
                                "message": "Хочу узнать о продукте",
                            ]), caller: $0.caller
                    )
                },
                answers: .registered(
                    links: [
                        Link("get", to: "get_contact", "contact_id"),
                        Link("update", to: "update_contact", "contact_id"),
                    ] + ContactDetails.links)
            ) { api, input, idempotency, completion in
                try input.caller.checkRegistration(at: input.new.sourceID)
                api.crm.register(input.new, idempotency, completion: completion)
            },
            .registerContacts,
            Route(
                .get, "/api/v1/contacts", "list_contacts", scope: .read, "List the contacts",
                reads: { (page: $0.page(), filter: $0.contactFilter()) },
                answers: .list(
                    of: ContactDetails.self, "The contacts that all filters let through, by id.",
                    example: [ContactDetails.example])
            ) { api, input in
                try await input.page.answer(by: \.contact.id.rawValue) {
                    try await api.crm.contacts(input.filter, $0)
                }
            },
            Route(
                .get, "/api/v1/contacts/{contact_id}", "get_contact", scope: .read, "Get a contact",
                errors: [.contactNotFound],
                reads: { $0.contactID() },
                answers: .json(
                    ContactDetails.self, "The contact.", example: ContactDetails.example,
                    links: ContactDetails.links)
            ) { api, id in
                try await api.crm.contact(id)
            },
            Route(
                .patch, "/api/v1/contacts/{contact_id}", "update_contact", scope: .operate,
                "Close, reopen or transfer a contact",
                """
                404 if the contact or the operator named is not there; 409 if that operator is inactive, full, or full of the \
                source's contacts, or the contact is closed. No way leads past `max_load`.
                """,
                errors: [
                    .contactNotFound, .operatorNotFound, .operatorInactive, .operatorFull, .sourceShareFull,
                    .contactClosed,
                ],
                reads: { (id: $0.contactID(), patch: $0.body(ContactPatch.self, example: ["status": "closed"])) },
                answers: .json(
                    ContactDetails.self, "The contact.",
                    example: ContactDetails.example.merging([
                        "status": "closed", "updated_at": Timestamp.example,
                        "operator": Operator.example.merging(["current_load": 0]),
                    ]), links: ContactDetails.links)
            ) { api, input, _, completion in
                api.crm.updateContact(input.id, input.patch, completion: completion)
            },
            Route(
                .post, "/api/v1/contacts/{contact_id}/requeue", "requeue_contact", scope: .operate,
                "Give a contact to somebody else",
                """
                Takes the contact from its operator and places it anew. It comes back to the same operator only if no other is \
                available and nobody waits before it. One that waits stays where it is.
                """,
                errors: [.contactNotFound, .contactClosed],
                reads: { $0.contactID() },
                answers: .json(
                    ContactDetails.self, "The contact.", example: ContactDetails.example, links: ContactDetails.links)
            ) { api, id, idempotency, completion in
                api.crm.requeue(id, idempotency, completion: completion)
            },
            .contactHistory, .contactExplanation,
            Route(
                .get, "/api/v1/contacts/stats/distribution", "count_contacts", scope: .read, "Count the contacts",
                "Counts the contacts of each source by the operator who has them, whatever their status.",
                answers: .json(
                    [DistributionCount].self, "One row for each source and operator with at least one contact.",
                    example: [
                        [
                            "source_id": 1, "source_name": "Telegram Bot #1", "operator_id": 1,
                            "operator_name": "Иван Иванов", "contacts_count": 25,
                        ]
                    ])
            ) { api in
                try await api.crm.distributionCounts()
            },
        ])
}

extension Input {
    mutating func contactID() -> ContactID {
        path("contact_id", .id(), as: "ContactID", "The id of the contact.", example: 1)
    }

    fileprivate mutating func contactFilter() -> ContactFilter {
        var filter = ContactFilter()
        filter.status = query("status", .word, as: "StatusFilter", "Only contacts with this status.")
        filter.operatorID = query("operator_id", .id(), as: "OperatorFilter", "Only contacts of this operator.")
        filter.sourceID = query("source_id", .id(), as: "SourceFilter", "Only contacts of this source.")
        filter.leadID = query("lead_id", .id(), as: "LeadFilter", "Only contacts of this lead.")
        filter.waiting = query(
            "waiting", .boolean, default: false, as: "WaitingFilter",
            "`true`: only active contacts without an operator.")
        return filter
    }
}

extension NewContact: JSONReadable {
    static var schemaName: String { "ContactCreate" }

    init(_ fields: inout Fields) {
        self.init(
            sourceID: fields.required("source_id", .id(), "Where the contact comes from."),
            identity: LeadIdentity(
                externalID: fields.optional(
                    "lead_external_id", .text(upTo: 255), "The lead's id in another system. Looked up first."),
                phone: fields.optional(
                    "lead_phone", .text(upTo: 64),
                    "The lead's phone. Looked up second, without spaces, dashes, dots and brackets, digits in ASCII."),
                email: fields.optional(
                    "lead_email", .text(upTo: 320),
                    "The lead's email. Looked up third, trimmed and in lower case.")),
            leadName: fields.optional("lead_name", .text(upTo: 255), "Kept if the lead has no name yet."),
            message: fields.optional("message", .text(upTo: 65_536), "What the lead wrote."),
            priority: fields.required(
                "priority", .priority, default: 0, "Of those who wait the highest is let in first, then the oldest."))
    }
}

extension ContactPatch: JSONReadable {
    static var schemaName: String { "ContactUpdate" }
    static var words: String? { "What is absent or null stays as it is." }

    init(_ fields: inout Fields) {
        self.init(
            status: fields.optional(
                "status", .word,
                """
                `closed` frees the operator's place. `active` opens the contact again, as a new one would be: with the same \
                operator if there is room, else with another, else it waits.
                """),
            operatorID: fields.optional(
                "operator_id", .id(), "The operator to transfer an active contact to."),
            message: fields.optional("message", .text(upTo: 65_536), "Replaces the message."),
            priority: fields.optional("priority", .priority, "Moves a contact that waits in the queue."))
    }
}

extension ContactStatus: JSONEncodable {
    static var schema: Schema {
        Schema(
            [
                "description": "An active contact counts towards its operator's load, or waits for an operator.",
                "type": "string", "enum": .array(allCases.map { .string($0.rawValue) }),
            ], named: "ContactStatus")
    }
}

extension Contact: JSONObject {
    static var schemaName: String { "Contact" }
    static var words: String? { "One message of a lead to a source." }

    static var example: JSON {
        [
            "id": 1, "lead_id": 1, "source_id": 1, "operator_id": 1, "status": "active",
            "message": "Хочу узнать о продукте", "created_at": Timestamp.example, "updated_at": .null, "priority": 0,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("id", "Identifies the contact.") { $0.id }
        visitor.member("lead_id", "Whose contact it is.") { $0.leadID }
        visitor.member("source_id", "Where it came from.") { $0.sourceID }
        visitor.member(
            "operator_id", "The operator it was given to; an active contact without one waits."
        ) { $0.operatorID }
        visitor.member("status") { $0.status }
        visitor.member("message") { $0.message }
        visitor.member("created_at", "When the contact was registered.") { $0.createdAt }
        visitor.member("updated_at", "When the contact was last changed.") { $0.updatedAt }
        visitor.member(
            "priority", "Of those who wait the highest is let in first, then the oldest.", ["minimum": 0, "maximum": 9]
        ) { $0.priority }
    }
}

extension ContactDetails: JSONObject {
    static var schemaName: String { "ContactWithDetails" }
    static var words: String? { "A contact with the records it refers to." }

    static var example: JSON {
        Contact.example.merging(["lead": Lead.example, "operator": Operator.example, "source": Source.example])
    }

    fileprivate static let links = [
        Link("lead", to: "get_lead", "lead_id", from: "lead_id"),
        Link("operator", to: "get_operator", "operator_id", from: "operator_id"),
        Link("source", to: "get_source", "source_id", from: "source_id"),
    ]

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.members { $0.contact }
        visitor.member("lead") { $0.lead }
        visitor.member("operator") { $0.operator }
        visitor.member("source") { $0.source }
    }
}

extension DistributionCount: JSONObject {
    static var schemaName: String { "DistributionCount" }
    static var words: String? { "How many contacts of a source one operator has." }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("source_id", "The source.") { $0.sourceID }
        visitor.member("source_name") { $0.sourceName }
        visitor.member("operator_id", "The operator; null for the contacts without one.") { $0.operatorID }
        visitor.member("operator_name") { $0.operatorName }
        visitor.member(
            "contacts_count", "How many contacts there are, active and closed.", ["minimum": 1]
        ) { $0.contactsCount }
    }
}
