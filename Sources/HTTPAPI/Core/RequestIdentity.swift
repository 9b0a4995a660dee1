import HTTPTypes
import Logging
import Synchronization

/// By what a request is found again: in its answer, in the log, and in the traces of those who sent it.
struct RequestIdentity {
    /// What the client calls the request, or a name of ours.
    let requestID: String
    private let traceParent: TraceParent?

    init(_ headers: HeaderFields) {
        requestID = headers[.requestID].flatMap(Self.accepted) ?? Self.unique()
        traceParent = headers[.traceParent].flatMap(TraceParent.init)
    }

    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["request_id": "\(requestID)"]
        if let traceParent {
            metadata["trace_id"] = "\(traceParent.traceID)"
            metadata["parent_id"] = "\(traceParent.parentID)"
        }
        return metadata
    }

    /// Up to 128 visible ASCII characters, which do no harm in a log.
    private static func accepted(_ id: String) -> String? {
        (1...128).contains(id.utf8.count) && id.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? id : nil
    }

    /// Random, the same for all names that this process makes up.
    private static let process = UInt64.random(in: .min ... .max)
    private static let last = Atomic(UInt64.random(in: .min ... .max))

    /// 32 hexadecimal digits that no other request has: a random number for each would be a system call.
    private static func unique() -> String {
        let number = last.wrappingAdd(1, ordering: .relaxed).newValue
        return String(unsafeUninitializedCapacity: 32) { utf8 in
            for index in 0..<32 {
                let bits = index < 16 ? process : number
                let digit = UInt8(truncatingIfNeeded: bits >> (60 - index % 16 * 4)) & 15
                utf8[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 32
        }
    }
}

/// The header `traceparent` (W3C Trace Context, section 3.2).
struct TraceParent: Equatable {
    let traceID: Substring
    let parentID: Substring

    /// `nil` if it is malformed: then it is as if it were not there.
    init?(_ header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts.prefix(4).map(\.utf8.count) == [2, 32, 16, 2],
            parts.prefix(4).allSatisfy({ $0.utf8.allSatisfy(Self.isHexadecimal) }),
            parts[0] != "ff", parts[0] != "00" || parts.count == 4,
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        traceID = parts[1]
        parentID = parts[2]
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

extension HTTPField.Name {
    static let requestID = HTTPField.Name("X-Request-ID")!
    fileprivate static let traceParent = HTTPField.Name("traceparent")!
}
