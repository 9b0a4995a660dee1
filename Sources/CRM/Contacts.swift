import Assignment
public import Model
import Store

extension CRM {
    /// Finds or makes the lead, and gives the contact to an operator or lets it wait.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``.
    public func register(_ contact: NewContact) async throws -> ContactDetails {
        guard case .contact(let details) = try await carryOut(.register(contact)) else { unexpected() }
        return details
    }

    /// Closes, reopens or transfers a contact, or changes its message. A place that this frees goes to the oldest
    /// who waits for it, in the same transaction.
    ///
    /// - Throws: ``CRMError/contactNotFound(_:)``; for a transfer ``CRMError/operatorNotFound(_:)``,
    ///   ``CRMError/operatorInactive(_:)``, ``CRMError/operatorFull(_:)``, ``CRMError/contactClosed(_:)``.
    public func updateContact(_ id: ContactID, _ patch: ContactPatch) async throws -> ContactDetails {
        guard patch != ContactPatch() else { return try await contact(id) }
        guard case .contact(let details) = try await carryOut(.updateContact(id, patch)) else { unexpected() }
        return details
    }

    public func contacts(_ filter: ContactFilter, _ page: Page) async throws -> Listing<ContactDetails> {
        Listing(elements: try await run(Fetch<ContactDetails>.list(filter, page)))
    }

    /// - Throws: ``CRMError/contactNotFound(_:)``.
    public func contact(_ id: ContactID) async throws -> ContactDetails {
        try await run(Fetch<ContactDetails>.one(id)).first ?? { throw CRMError.contactNotFound(id) }()
    }
}
