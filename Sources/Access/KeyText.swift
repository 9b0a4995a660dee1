import Crypto

/// A key as a client has it: `lcrm_`, 8 characters that name it, `_`, 32 that are the secret, and a checksum of 6.
///
/// The form lets scanners of source code find a key that was published, and tells a misspelt key without a look-up.
public struct KeyText: Sendable, Equatable {
    /// Names the key; no secret.
    public let id: String
    public let text: String

    private static let prefix = "lcrm_"
    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    private static let (idSize, secretSize, checksumSize) = (8, 32, 6)

    /// Makes a key that nobody can guess: its secret has 190 bits.
    public static func random() -> KeyText {
        var generator = SystemRandomNumberGenerator()
        func word(_ count: Int) -> String {
            String(decoding: (0..<count).map { _ in digits.randomElement(using: &generator)! }, as: UTF8.self)
        }
        let id = word(idSize)
        let body = "\(prefix)\(id)_\(word(secretSize))"
        return KeyText(id: id, text: body + checksum(of: body))
    }

    private init(id: String, text: String) {
        self.id = id
        self.text = text
    }

    /// - Returns: `nil` if it is no key, or a misspelt one.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let start = Self.prefix.utf8.count
        let secretStart = start + Self.idSize + 1
        guard bytes.count == secretStart + Self.secretSize + Self.checksumSize, text.hasPrefix(Self.prefix),
            bytes[secretStart - 1] == UInt8(ascii: "_")
        else { return nil }
        let words = bytes[start..<(secretStart - 1)] + bytes[secretStart...]
        guard words.allSatisfy(Self.digits.contains) else { return nil }
        let body = String(decoding: bytes.dropLast(Self.checksumSize), as: UTF8.self)
        guard Self.checksum(of: body).utf8.elementsEqual(bytes.suffix(Self.checksumSize)) else { return nil }
        self.init(id: String(decoding: bytes[start..<(start + Self.idSize)], as: UTF8.self), text: text)
    }

    /// What is stored of it: SHA-256.
    public var hash: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    /// CRC-32 (ISO-HDLC, as zlib has it), in six digits to the base of 62.
    private static func checksum(of text: String) -> String {
        var crc: UInt32 = .max
        for byte in text.utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
        }
        var rest = ~crc
        var word: [UInt8] = []
        for _ in 0..<checksumSize {
            word.append(digits[Int(rest % 62)])
            rest /= 62
        }
        return String(decoding: word.reversed(), as: UTF8.self)
    }
}
