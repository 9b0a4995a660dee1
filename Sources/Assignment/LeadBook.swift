public import Model

/// The leads that a batch of registrations may belong to, and those that it adds.
///
/// The first match of external id, then phone, then email decides. A match fills the lead's empty fields and
/// overwrites none; a value that belongs to another lead is not taken over. Pure: knows no database.
public struct LeadBook: Sendable {
    public private(set) var leads: [LeadID: Lead] = [:]
    public private(set) var added: Set<LeadID> = []
    /// Leads known before that have got a value.
    public private(set) var filled: Set<LeadID> = []
    private var byExternalID: [Bytewise: LeadID] = [:]
    private var byPhone: [Bytewise: LeadID] = [:]
    private var byEmail: [Bytewise: LeadID] = [:]

    /// - Parameter known: Every lead that has one of the identifiers that will be asked for.
    public init(_ known: [Lead]) {
        for lead in known { enter(lead) }
    }

    /// The lead that a registration belongs to.
    ///
    /// - Parameters:
    ///   - id: The id of the lead, should it be a new one.
    ///   - now: When it is created or filled.
    public mutating func lead(for contact: NewContact, newID id: LeadID, now: Timestamp) -> LeadID {
        let identity = contact.identity
        let match =
            identity.externalID.flatMap { byExternalID[Bytewise($0)] }
            ?? identity.phone.flatMap { byPhone[Bytewise($0)] } ?? identity.email.flatMap { byEmail[Bytewise($0)] }
        guard let match, var lead = leads[match] else {
            enter(Lead(id: id, identity: identity, name: contact.leadName, createdAt: now, updatedAt: nil))
            added.insert(id)
            return id
        }
        let before = lead
        if lead.identity.externalID == nil, let value = identity.externalID, byExternalID[Bytewise(value)] == nil {
            lead.identity.externalID = value
        }
        if lead.identity.phone == nil, let value = identity.phone, byPhone[Bytewise(value)] == nil {
            lead.identity.phone = value
        }
        if lead.identity.email == nil, let value = identity.email, byEmail[Bytewise(value)] == nil {
            lead.identity.email = value
        }
        lead.name = lead.name ?? contact.leadName
        if lead != before {
            if !added.contains(match) {
                lead.updatedAt = now
                filled.insert(match)
            }
            enter(lead)
        }
        return match
    }

    private mutating func enter(_ lead: Lead) {
        leads[lead.id] = lead
        if let value = lead.identity.externalID { byExternalID[Bytewise(value)] = lead.id }
        if let value = lead.identity.phone { byPhone[Bytewise(value)] = lead.id }
        if let value = lead.identity.email { byEmail[Bytewise(value)] = lead.id }
    }
}
