import HTTPTypes
import Model

/// What a key that registers, and does not read, sees of a contact: a form that passes the answer on must not tell who is
/// known, or who serves them.
struct ContactReceipt: JSONObject {
    let contact: Contact

    static let schemaName = "ContactReceipt"
    static var words: String? {
        "What a key with the scope `register` alone sees of a contact: nothing that was stored."
    }

    static var example: JSON { JSON(of: ContactReceipt(contact: .receiptExample)) }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("id", "Identifies the contact.") { $0.contact.id }
        visitor.member("source_id", "Where it came from.") { $0.contact.sourceID }
        visitor.member("status") { $0.contact.status }
        visitor.member("created_at", "When the contact was registered.") { $0.contact.createdAt }
        visitor.member("priority", nil, ["minimum": 0, "maximum": 9]) { $0.contact.priority }
    }
}

extension Contact {
    fileprivate static let receiptExample = Contact(
        id: ContactID(1), leadID: LeadID(1), sourceID: SourceID(1), operatorID: nil, status: .active, message: nil,
        createdAt: Timestamp(microsecondsSince2000: 848_000_000_000_000), updatedAt: nil)
}

extension ContactDetails {
    /// Of a contact that was registered: as who reads sees it, or as others do.
    static var registeredSchema: Schema { .any(of: [schema, ContactReceipt.schema]) }

    /// - Parameter caller: Who registered it.
    func writeRegistered(to json: inout JSONWriter, for caller: Caller) {
        if caller.mayRead { write(to: &json) } else { ContactReceipt(contact: contact).write(to: &json) }
    }
}

extension Answer<ContactDetails> {
    /// A contact that was registered.
    static func registered(links: [Link]) -> Self {
        let content = Success.Content(
            mediaType: "application/json", schema: ContactDetails.registeredSchema, example: ContactDetails.example)
        let success = Success(
            status: .created,
            words: """
                The contact, with the operator it was given to. Without one it waits. A key with the scope `register` alone gets \
                a receipt, without the lead, the operator and the message.
                """, links: links, content: [content])
        return Self(
            success: success, respond: { .json($0, status: .created) },
            respondBriefly: { .json(ContactReceipt(contact: $0.contact), status: .created) })
    }
}
