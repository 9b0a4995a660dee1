public import HTTPTypes

/// The header fields of a message, in their order. They are few and asked for few names, so that they are not indexed.
public struct HeaderFields: Sendable, Equatable {
    public struct Field: Sendable, Equatable {
        public let name: String
        public let value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        fileprivate func isNamed(_ name: HTTPField.Name) -> Bool {
            let lowercased = name.canonicalName
            guard self.name.utf8.count == lowercased.utf8.count else { return false }
            return zip(self.name.utf8, lowercased.utf8).allSatisfy { byte, lower in
                byte == lower || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == lower
            }
        }
    }

    public private(set) var fields: [Field]

    public init(_ fields: [Field]) { self.fields = fields }

    /// The values of all fields of a name, in one list (RFC 9110, section 5.3).
    ///
    /// A new value takes the place of all that there were. It has no line's end: nothing checks that.
    public subscript(name: HTTPField.Name) -> String? {
        get {
            let values = values(of: name)
            return values.count > 1 ? values.joined(separator: ", ") : values.first
        }
        set {
            fields.removeAll { $0.isNamed(name) }
            if let newValue { fields.append(Field(name: name.rawName, value: newValue)) }
        }
    }

    /// The values of all fields of a name, one by one.
    public func values(of name: HTTPField.Name) -> [String] { fields.compactMap { $0.isNamed(name) ? $0.value : nil } }

    mutating func append(_ other: HeaderFields) { fields += other.fields }

    /// Adds what is not there yet.
    mutating func setDefault(_ name: HTTPField.Name, _ value: String) {
        if !fields.contains(where: { $0.isNamed(name) }) { fields.append(Field(name: name.rawName, value: value)) }
    }
}

extension HeaderFields: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (HTTPField.Name, String)...) {
        self.init(elements.map { Field(name: $0.rawName, value: $1) })
    }
}

extension HTTPField.Name {
    public static let host = HTTPField.Name("Host")!
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
