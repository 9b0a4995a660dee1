public import HTTPTypes

/// The head of a request. Its body comes apart from it.
public struct Request: Sendable {
    public let method: HTTPRequest.Method
    /// How long the target is as it was sent, in bytes.
    let targetSize: Int
    /// As it was sent, percent-encoded.
    let path: Substring
    let query: Substring
    /// The name by which the client calls the service.
    let authority: String?
    public let headers: HeaderFields
    /// The address that it came from, if it has one.
    let peer: String?

    /// - Parameters:
    ///   - target: Path and query, or an absolute URL, whose authority then counts in place of `Host` (RFC 9112,
    ///     section 3.2.2).
    ///   - peer: The address that it came from, if it has one.
    public init(method: HTTPRequest.Method, target: String, headers: HeaderFields, peer: String? = nil) {
        self.method = method
        self.peer = peer
        self.headers = headers
        targetSize = target.utf8.count
        var rest = target[...]
        var authority = headers[.host]
        if rest.utf8.first != UInt8(ascii: "/"), let start = rest.firstRange(of: "://")?.upperBound {
            let end = rest[start...].utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
            authority = String(rest[start..<(end ?? rest.endIndex)])
            rest = rest[(end ?? rest.endIndex)...]
        }
        self.authority = authority
        let end = rest.utf8.firstIndex(of: UInt8(ascii: "?")) ?? rest.endIndex
        path = end == rest.startIndex ? "/" : rest[..<end]
        query = rest[end...].dropFirst()
    }

    /// Whether a browser sends this for a page of another origin, none of which the service trusts.
    ///
    /// By `Sec-Fetch-Site` (W3C Fetch Metadata); over plain HTTP browsers send it to loopback only, and elsewhere `Origin`
    /// tells. Other programs send neither.
    var isCrossSite: Bool {
        if let site = headers[.secFetchSite] { return site != "same-origin" && site != "none" }
        guard let origin = headers[.origin] else { return false }
        guard let authority else { return true }
        return origin != "http://\(authority)" && origin != "https://\(authority)"
    }
}
