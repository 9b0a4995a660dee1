/// By what a repeated request is known, so that it counts once.
public struct IdempotencyKey: Sendable, Equatable {
    /// The client's name for the request, 1 to 255 visible ASCII characters.
    public let key: String
    /// 0: the whole request; from 1 on one of its entries, which count each by itself.
    public let entry: Int32
    /// A digest of what else the request was; the same key with another one is a mistake of the client's.
    public let fingerprint: String

    public init(_ key: String, entry: Int32 = 0, fingerprint: String) {
        self.key = key
        self.entry = entry
        self.fingerprint = fingerprint
    }
}

/// An answer as it was given first.
public struct KeptAnswer: Sendable, Equatable {
    /// Of HTTP.
    public let status: Int
    /// JSON.
    public let body: String

    public init(status: Int, body: String) {
        self.status = status
        self.body = body
    }
}

/// Lets an operation count once: its answer is kept in the transaction of its change.
public struct Idempotency<Value>: Sendable {
    public let key: IdempotencyKey
    /// The answer to keep.
    public let answer: @Sendable (Value) -> KeptAnswer

    public init(_ key: IdempotencyKey, answer: @escaping @Sendable (Value) -> KeptAnswer) {
        self.key = key
        self.answer = answer
    }
}

/// What came of an operation that may be asked for again.
public enum Answered<Value> {
    /// It was done, and nothing kept.
    case fresh(Value)
    /// Its answer is kept: since now, or since an earlier time.
    case kept(KeptAnswer, isReplay: Bool)
}

extension Answered: Sendable where Value: Sendable {}
