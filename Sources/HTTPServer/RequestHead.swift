import HTTPAPI
import HTTPTypes
import NIOCore
import NIOHTTP1

/// The head of a request, as far as the connection has to know it.
struct RequestHead {
    let request: Request
    let version: HTTPVersion
    /// What `Content-Length` says, in bytes; `nil` without one.
    let length: Int?
    /// Whether the client waits for leave to send the body.
    let expectsContinue: Bool
    /// Whether the connection serves the next request, too. After `Upgrade` it does not, as the decoder takes what comes
    /// for another protocol.
    let keepsAlive: Bool

    var isHead: Bool { request.method == .head }
    var hasBody: Bool { isChunked || length ?? 0 > 0 }
    private let isChunked: Bool

    /// `nil` if it can be understood in more than one way, as by a proxy and by us, or not at all (RFC 9112, sections 3.2,
    /// 6.1 and 6.3).
    ///
    /// - Parameter peer: The address that it came from, if it has one.
    init?(_ head: HTTPRequestHead, from peer: String? = nil) {
        let isCurrent = head.version == .http1_1
        guard isCurrent || head.version == .http1_0, Self.isTarget(head.uri) else { return nil }
        guard let method = HTTPRequest.Method(rawValue: head.method.rawValue) else { return nil }
        let headers = HeaderFields(head.headers.map { .init(name: $0.name, value: Self.trimmed($0.value)) })
        let hosts = headers.values(of: .host)
        let lengths = headers.values(of: .contentLength)
        let codings = headers.values(of: .transferEncoding)
        guard hosts.count == 1 || hosts.isEmpty && !isCurrent, hosts.allSatisfy(Self.isHost) else { return nil }
        guard codings.isEmpty || isCurrent && codings.count == 1 && codings[0].lowercased() == "chunked",
            lengths.count + codings.count < 2
        else { return nil }
        length = lengths.first.flatMap(Self.number)
        guard length != nil || lengths.isEmpty else { return nil }
        isChunked = !codings.isEmpty
        request = Request(method: method, target: head.uri, headers: headers, peer: peer)
        version = head.version
        expectsContinue = isCurrent && headers[.expect]?.lowercased() == "100-continue"
        keepsAlive = head.isKeepAlive && method != .connect && headers.values(of: .upgrade).isEmpty
    }

    /// Without the white space that is not of the value (RFC 9110, section 5.5); the decoder leaves some at the end.
    private static func trimmed(_ value: String) -> String {
        var rest = value.utf8[...]
        while let last = rest.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { rest.removeLast() }
        return rest.endIndex == value.endIndex ? value : String(Substring(rest))
    }

    /// A path, or an absolute URL of ours; `*`, which has no answer here, and what `CONNECT` names are left to the router.
    private static func isTarget(_ target: String) -> Bool {
        let utf8 = target.utf8
        return utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "\\") }
            && (utf8.first == UInt8(ascii: "/") || target == "*" || target.lowercased().hasPrefix("http://")
                || target.lowercased().hasPrefix("https://"))
    }

    /// A name or an address, perhaps with a port; it may be empty.
    private static func isHost(_ value: String) -> Bool {
        value.utf8.allSatisfy { byte in
            switch Unicode.Scalar(byte) {
            case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~", ":", "[", "]", "%": true
            default: false
            }
        }
    }

    /// Digits alone, of which `Int` would also take a sign.
    private static func number(_ value: String) -> Int? {
        guard value.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int(value)
    }
}

extension ErrorCode {
    /// What is wrong with what came, by the error of NIO's decoder; `nil`: nothing came.
    init?(decoding error: any Error) {
        switch error {
        // White space before a value counts to no field, and is kept all the same.
        case HTTPParserError.headerOverflow, is ByteToMessageDecoderError.PayloadTooLargeError: self = .headersTooLarge
        case is HTTPParserError, is ByteToMessageDecoderError: self = .malformedRequest
        default: return nil
        }
    }

    var incident: Incidents.Incident? { self == .malformedRequest ? .malformed : nil }
}
