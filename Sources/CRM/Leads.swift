public import Model
import Store

extension CRM {
    /// Leads that have all the given identifiers.
    public func leads(_ filter: LeadIdentity, _ page: Page) async throws -> Listing<LeadWithContacts> {
        try await run(FetchLeads(filter, page))
    }

    /// - Throws: ``CRMError/leadNotFound(_:)``.
    public func lead(_ id: LeadID) async throws -> LeadWithContacts {
        let anyone = LeadIdentity(externalID: nil, phone: nil, email: nil)
        return try await run(FetchLeads(anyone, id: id, Page(limit: 1, after: .min))).elements.first
            ?? { throw CRMError.leadNotFound(id) }()
    }
}
