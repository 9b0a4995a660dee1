import Model
import Postgres

extension ID: BinaryDecodable {
    public init?(binary bytes: UnsafeRawBufferPointer) {
        guard let value = Int64(binary: bytes) else { return nil }
        self.init(value)
    }
}

extension Timestamp: BinaryDecodable {
    public init?(binary bytes: UnsafeRawBufferPointer) {
        guard let microseconds = Int64(binary: bytes) else { return nil }
        self.init(microsecondsSince2000: microseconds)
    }
}
