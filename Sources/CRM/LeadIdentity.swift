import Distribution
import Postgres
// For `_nfc`, which the standard library has for its own comparisons; Foundation's would bring Foundation.
@_spi(_Unicode) import Swift

/// What a lead is recognised by, normalised.
public struct LeadIdentity: Sendable, Hashable {
    public internal(set) var externalID: String?
    public internal(set) var phone: String?
    public internal(set) var email: String?

    /// Normalises what a client sent: an empty value counts as absent, an email is trimmed and lower-cased, a
    /// phone loses white space, dashes, dots and brackets, and both are in Unicode's form NFC.
    public init(externalID: String?, phone: String?, email: String?) {
        func nonEmpty(_ value: String?) -> String? { value?.isEmpty == false ? value : nil }
        self.externalID = nonEmpty(externalID)
        self.phone = nonEmpty(
            phone.map { Self.composed(String($0.unicodeScalars.filter { !Self.isPunctuation($0) })) })
        self.email = nonEmpty(email.map { Self.composed(Self.trimmed($0).lowercased()) })
    }

    /// The text in Unicode's form NFC: "é" is one scalar, however it was sent.
    private static func composed(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var composed = ""
        composed.unicodeScalars.append(contentsOf: text._nfc)
        return composed
    }

    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\t"..."\r", " ", "-", ".", "(", ")", "[", "]", "{", "}": true
        // Looking properties up is what registering would spend most of its time on.
        default: !scalar.isASCII && (scalar.properties.isWhitespace || scalar.properties.isDash)
        }
    }

    private static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        let isSpace = \Unicode.Scalar.Properties.isWhitespace
        guard let first = scalars.firstIndex(where: { !$0.properties[keyPath: isSpace] }),
            let last = scalars.lastIndex(where: { !$0.properties[keyPath: isSpace] })
        else { return "" }
        return String(scalars[first...last])
    }
}

/// The leads that a batch of registrations may belong to, and those that it adds.
///
/// The first match of external id, then phone, then email decides. A match fills the lead's empty fields and
/// overwrites none; a value that belongs to another lead is not taken over. Pure: knows no database.
struct LeadBook {
    private(set) var leads: [LeadID: Lead] = [:]
    private(set) var added: Set<LeadID> = []
    /// Leads known before that have got a value.
    private(set) var filled: Set<LeadID> = []
    private var byExternalID: [Bytewise: LeadID] = [:]
    private var byPhone: [Bytewise: LeadID] = [:]
    private var byEmail: [Bytewise: LeadID] = [:]

    /// - Parameter known: Every lead that has one of the identifiers that will be asked for.
    init(_ known: [Lead]) {
        for lead in known { enter(lead) }
    }

    /// The lead that a registration belongs to.
    ///
    /// - Parameters:
    ///   - id: The id of the lead, should it be a new one.
    ///   - now: When it is created or filled.
    mutating func lead(for contact: NewContact, newID id: LeadID, now: Timestamp) -> LeadID {
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

/// A text that is equal to another as it is to PostgreSQL: byte by byte. `String` takes canonically equivalent texts
/// for equal, for example "й" as one scalar and as two.
struct Bytewise: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: Self, b: Self) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
