import CRM
import HTTPTypes
import Model

extension RouteGroup {
    static let leads = RouteGroup(
        "Leads", "Who wrote in.",
        [
            Route(
                .get, "/api/v1/leads", "list_leads", scope: .read, "List the leads",
                reads: { (page: $0.page(), filter: $0.leadFilter()) },
                answers: .list(
                    of: LeadWithContacts.self,
                    """
                    The leads that all filters let through, by id. A filter of which nothing is left once it is normalised, such \
                    as an empty one, lets none through.
                    """,
                    example: [LeadWithContacts.example])
            ) { api, input in
                try await input.page.answer(by: \LeadWithContacts.lead.id.rawValue) { page in
                    guard let filter = input.filter else { return Listing(elements: []) }
                    return try await api.crm.leads(filter, page)
                }
            },
            Route(
                .post, "/api/v1/leads/search", "search_leads", scope: .read, "Search for a lead",
                "As `GET /api/v1/leads` with these filters, but nothing personal is in the URL, which logs keep.",
                reads: { $0.body(LeadSearch.self, example: ["phone": "+7 900 123-45-67"]) },
                answers: .json(
                    [LeadWithContacts].self, "The lead that all of them name; nobody else.",
                    example: [LeadWithContacts.example])
            ) { api, search in
                guard let filter = search.filter else { return [] }
                return try await api.crm.leads(filter, Page(limit: 1)).elements
            },
            Route(
                .get, "/api/v1/leads/{lead_id}", "get_lead", scope: .read, "Get a lead", errors: [.leadNotFound],
                reads: { $0.path("lead_id", .id(), as: "LeadID", "The id of the lead.", example: 1) as LeadID },
                answers: .response(
                    "The lead with its contacts.", headers: [.relatedLink],
                    Success.Content(
                        mediaType: "application/json", schema: LeadWithContacts.schema,
                        example: LeadWithContacts.example))
            ) { api, id in
                let lead = try await api.crm.lead(id)
                var response = Response.json(lead)
                if lead.contacts.count < lead.contactsCount {
                    response.headers[.link] = "</api/v1/contacts?lead_id=\(id)>; rel=\"related\""
                }
                return response
            },
        ])
}

extension Input {
    fileprivate mutating func leadFilter() -> LeadIdentity? {
        let externalID = query("external_id", .text(), as: "ExternalIDFilter", "Only the lead with this external id.")
        let phone = query(
            "phone", .text(), as: "PhoneFilter", "Only the lead with this phone, however it is punctuated.",
            example: "+7 900 123-45-67")
        let email = query(
            "email", .text(), as: "EmailFilter", "Only the lead with this email, in upper or lower case.")
        return LeadIdentity(filter: externalID, phone, email)
    }
}

extension LeadIdentity {
    /// `nil` if a filter is given that no lead can have: whoever asks for nobody must not get everybody.
    fileprivate init?(filter externalID: String?, _ phone: String?, _ email: String?) {
        self.init(externalID: externalID, phone: phone, email: email)
        let given = [externalID, phone, email].count { $0 != nil }
        let left = [self.externalID, self.phone, self.email].count { $0 != nil }
        guard left == given else { return nil }
    }
}

/// By what a lead is searched for; without anything nobody is found.
private struct LeadSearch: JSONReadable {
    let filter: LeadIdentity?

    static let schemaName = "LeadSearch"
    static var words: String? { "A lead must have all that is given. Without any nobody is found." }

    init(_ fields: inout Fields) {
        let externalID = fields.optional("external_id", .text(), "The lead's id in another system.")
        let phone = fields.optional("phone", .text(), "However it is punctuated.")
        let email = fields.optional("email", .text(), "In upper or lower case.")
        let isEmpty = externalID == nil && phone == nil && email == nil
        filter = isEmpty ? nil : LeadIdentity(filter: externalID, phone, email)
    }
}

extension Lead: JSONObject {
    static var schemaName: String { "Lead" }
    static var words: String? { "A person who writes in." }

    static var example: JSON {
        [
            "id": 1, "external_id": .null, "phone": "+79001234567", "email": .null, "name": "Петр Петров",
            "created_at": Timestamp.example, "updated_at": .null,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("id", "Identifies the lead.") { $0.id }
        visitor.member("external_id", "The lead's id in another system.") { $0.identity.externalID }
        visitor.member("phone", "Without spaces, dashes, dots and brackets, digits in ASCII.") { $0.identity.phone }
        visitor.member("email", "Trimmed and in lower case.") { $0.identity.email }
        visitor.member("name") { $0.name }
        visitor.member("created_at", "When the lead was created.") { $0.createdAt }
        visitor.member("updated_at", "When the lead was last changed.") { $0.updatedAt }
    }
}

extension LeadWithContacts: JSONObject {
    static var schemaName: String { "LeadWithContacts" }
    static var words: String? { "A lead with its newest contacts, oldest first." }

    static var example: JSON { Lead.example.merging(["contacts": [Contact.example], "contacts_count": 1]) }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.members { $0.lead }
        visitor.member(
            "contacts",
            """
            The newest 1,000, or fewer if they are larger than some 8 MiB together. `/api/v1/contacts?lead_id=` has all.
            """, ["maxItems": .integer(Int64(contactLimit))]
        ) { $0.contacts }
        visitor.member("contacts_count", "How many contacts the lead has.", ["minimum": 0]) { $0.contactsCount }
    }
}
