// For `_nfc`, which the standard library has for its own comparisons; Foundation's would bring Foundation.
@_spi(_Unicode) import Swift

/// A person who writes in, recognised by external id, phone or email.
public struct Lead: Sendable, Equatable {
    public let id: LeadID
    public var identity: LeadIdentity
    public var name: String?
    public let createdAt: Timestamp
    public var updatedAt: Timestamp?

    public init(id: LeadID, identity: LeadIdentity, name: String?, createdAt: Timestamp, updatedAt: Timestamp?) {
        self.id = id
        self.identity = identity
        self.name = name
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// A lead with its newest contacts, oldest first.
public struct LeadWithContacts: Sendable, Equatable {
    public let lead: Lead
    /// At most ``contactLimit``, and fewer if they are larger than ``Page/sizeLimit`` together.
    public let contacts: [Contact]
    /// How many the lead has.
    public let contactsCount: Int64

    /// The most contacts that come with a lead.
    public static let contactLimit = 1000

    public init(lead: Lead, contacts: [Contact], contactsCount: Int64) {
        self.lead = lead
        self.contacts = contacts
        self.contactsCount = contactsCount
    }
}

/// What a lead is recognised by, normalised.
public struct LeadIdentity: Sendable, Hashable {
    public var externalID: String?
    public var phone: String?
    public var email: String?

    /// Normalises what a client sent: an empty value counts as absent, an email is trimmed and lower-cased, a
    /// phone loses white space, dashes, dots, brackets and what is not seen, and has its digits in ASCII, and both are in
    /// Unicode's form NFC.
    public init(externalID: String?, phone: String?, email: String?) {
        func nonEmpty(_ value: String?) -> String? { value?.isEmpty == false ? value : nil }
        self.externalID = nonEmpty(externalID)
        self.phone = nonEmpty(
            phone.map { phone in
                // Nearly all phones are this plain.
                if phone.utf8.allSatisfy({ $0 == UInt8(ascii: "+") || 0x30...0x39 ~= $0 }) { return phone }
                var plain = String.UnicodeScalarView()
                plain.append(contentsOf: phone.unicodeScalars.lazy.compactMap(Self.phoneScalar))
                return Self.composed(String(plain))
            })
        self.email = nonEmpty(email.map { Self.composed(Self.trimmed($0).lowercased()) })
    }

    /// The text in Unicode's form NFC: "é" is one scalar, however it was sent.
    private static func composed(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var (composed, before) = (text, "")
        // Three vowel signs of Tibetan are in order only after the second time.
        repeat {
            before = composed
            composed = ""
            composed.unicodeScalars.append(contentsOf: before._nfc)
        } while !composed.utf8.elementsEqual(before.utf8)
        return composed
    }

    /// What a character of a phone counts as; `nil`: nothing. People copy phones with marks of direction, soft hyphens and
    /// digits of other scripts and widths.
    private static func phoneScalar(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        switch scalar {
        case "\t"..."\r", " ", "-", ".", "(", ")", "[", "]", "{", "}", "\u{FF0E}": return nil
        case "\u{FF0B}", "\u{FE62}": return "+"
        // Looking properties up is what registering would spend most of its time on.
        case _ where scalar.isASCII: return scalar
        default: break
        }
        let properties = scalar.properties
        if properties.numericType == .decimal, let digit = properties.numericValue {
            return Unicode.Scalar(UInt8(ascii: "0") + UInt8(digit))
        }
        let isNothing =
            properties.isWhitespace || properties.isDash || properties.isDefaultIgnorableCodePoint
            || [.format, .openPunctuation, .closePunctuation].contains(properties.generalCategory)
        return isNothing ? nil : scalar
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
