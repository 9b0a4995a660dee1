import Crypto
public import Model

/// The keys that there are, as they were read at one moment.
public struct KeyRing: Sendable {
    /// A key, and what is stored of its secret.
    public struct Entry: Sendable {
        public let key: APIKey
        fileprivate let hash: [UInt8]

        public init(_ key: APIKey, hash: [UInt8]) {
            self.key = key
            self.hash = hash
        }
    }

    private let entries: [String: Entry]

    public init(_ entries: [Entry] = []) {
        self.entries = Dictionary(entries.map { ($0.key.id, $0) }) { $1 }
    }

    public var isEmpty: Bool { entries.isEmpty }

    /// The key that somebody has shown, if there is one and its time has not come.
    public func key(for text: KeyText, at now: Timestamp) -> APIKey? {
        // The digest's comparison takes as long however much of it is right.
        guard let entry = entries[text.id], text.hash == entry.hash,
            entry.key.expiresAt.map({ now < $0 }) ?? true
        else { return nil }
        return entry.key
    }
}
