public import Crypto

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
        return KeyText(id: id, text: body + checksum(of: body.utf8))
    }

    private init(id: String, text: String) {
        self.id = id
        self.text = text
    }

    /// - Returns: `nil` if it is no key, or a misspelt one.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let start = Self.prefix.utf8.count
        let end = start + Self.idSize
        let body = bytes.dropLast(Self.checksumSize)
        guard body.count == end + 1 + Self.secretSize, bytes.starts(with: Self.prefix.utf8),
            bytes[end] == UInt8(ascii: "_"), body[start..<end].allSatisfy(Self.isDigit),
            body[(end + 1)...].allSatisfy(Self.isDigit),
            Self.checksum(of: body).utf8.elementsEqual(bytes[body.endIndex...])
        else { return nil }
        self.init(id: String(decoding: body[start..<end], as: UTF8.self), text: text)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    /// What is stored of it.
    public var hash: SHA256Digest { SHA256.hash(data: Array(text.utf8)) }

    /// CRC-32 (ISO-HDLC, as zlib has it), in six digits to the base of 62.
    private static func checksum(of bytes: some Sequence<UInt8>) -> String {
        var rest = ~bytes.reduce(UInt32.max) { crc, byte in
            crc >> 8 ^ remainders[Int(UInt8(truncatingIfNeeded: crc) ^ byte)]
        }
        var word = [UInt8](repeating: 0, count: checksumSize)
        for index in word.indices.reversed() {
            word[index] = digits[Int(rest % 62)]
            rest /= 62
        }
        return String(decoding: word, as: UTF8.self)
    }

    /// What each byte adds to a CRC-32.
    private static let remainders = (0..<256 as Range<UInt32>).map { byte in
        (0..<8).reduce(byte) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
    }
}
