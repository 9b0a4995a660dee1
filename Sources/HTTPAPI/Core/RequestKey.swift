import Crypto
import HTTPTypes
import Model
import NIOCore

extension IdempotencyKey {
    /// The key of a request, by which a repetition of it is known (draft-ietf-httpapi-idempotency-key-header).
    ///
    /// - Returns: `nil` without one.
    /// - Throws: ``Refusal/idempotencyKeyInvalid``.
    init?(_ request: Request, from caller: Caller, body: ByteBuffer) throws(Refusal) {
        let values = request.headers.values(of: .idempotencyKey)
        guard let value = values.first else { return nil }
        guard values.count == 1, let key = Self.key(in: value) else { throw .idempotencyKeyInvalid }
        var digest = SHA256()
        if let id = caller.key?.id { digest.update(data: Array("\(id) \(caller.mayRead) ".utf8)) }
        digest.update(data: Array("\(request.method) \(request.path)?\(request.query)\n".utf8))
        body.withUnsafeReadableBytes { digest.update(bufferPointer: $0) }
        // Half of it: nobody gains by two requests of his own that look alike.
        let halves = digest.finalize().withUnsafeBytes { bytes in
            [0, 8].map { bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self).bigEndian }
        }
        self.init(key, fingerprint: halves.map { String($0, radix: 16) }.joined(separator: "-"))
    }

    /// 1 to 255 visible ASCII characters, bare or as a string of RFC 8941.
    static func key(in value: String) -> String? {
        var key = Array(value.utf8)
        if key.first == quote {
            guard key.count >= 2, key.last == quote, let content = unescaped(key[1..<(key.count - 1)]) else {
                return nil
            }
            key = content
        }
        guard (1...255).contains(key.count), key.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return String(decoding: key, as: UTF8.self)
    }

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    private static func unescaped(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var isEscaped = false
        for byte in text {
            if isEscaped {
                guard byte == quote || byte == backslash else { return nil }
            } else if byte == backslash {
                isEscaped = true
                continue
            } else if byte == quote {
                return nil
            }
            result.append(byte)
            isEscaped = false
        }
        return isEscaped ? nil : result
    }
}

extension HTTPField.Name {
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed")!
}
