import Assignment
public import Model
import Store

extension CRM {
    /// Finds or makes the lead, and gives the contact to an operator or lets it wait.
    ///
    /// Fails with ``CRMError/sourceNotFound(_:)``.
    public func register(_ contact: NewContact, completion: @escaping Completion<ContactDetails>) {
        carryOut(.register(contact)) { completion($0.map(\.contact)) }
    }

    /// Closes, reopens or transfers a contact, or changes its message or priority. A place that this frees goes to the oldest
    /// who waits for it, in the same transaction.
    ///
    /// Fails with ``CRMError/contactNotFound(_:)``; for a transfer ``CRMError/operatorNotFound(_:)``,
    /// ``CRMError/operatorInactive(_:)``, ``CRMError/operatorFull(_:)``, ``CRMError/sourceShareFull(_:_:)``,
    /// ``CRMError/contactClosed(_:)``.
    public func updateContact(_ id: ContactID, _ patch: ContactPatch, completion: @escaping Completion<ContactDetails>)
    {
        guard patch != ContactPatch() else { return complete(completion) { try await self.contact(id) } }
        carryOut(.updateContact(id, patch)) { completion($0.map(\.contact)) }
    }

    public func contacts(_ filter: ContactFilter, _ page: Page) async throws -> Listing<ContactDetails> {
        Listing(elements: try await run(Fetch<ContactDetails>.list(filter, page)))
    }

    /// - Throws: ``CRMError/contactNotFound(_:)``.
    public func contact(_ id: ContactID) async throws -> ContactDetails {
        try await run(Fetch<ContactDetails>.one(id)).first ?? { throw CRMError.contactNotFound(id) }()
    }
}
