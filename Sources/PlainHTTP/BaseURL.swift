/// The URL of an instance: `http`, a host, perhaps a port and a path, which goes before each request's.
public struct BaseURL: Sendable, CustomStringConvertible {
    public let host: String
    public let port: Int
    public let path: String
    /// A key to the API, which goes with each request.
    public var key: String?

    /// Reads a URL; `nil` if it is of another form, `https` for example.
    public init?(_ text: String) {
        let form = #/http://(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?(/[^?#\s]*)?/#
        guard let (_, address, name, number, path) = text.wholeMatch(of: form)?.output,
            let port = number.map({ UInt16($0) }) ?? 80
        else { return nil }
        host = String(address ?? name!)
        self.port = Int(port)
        self.path = path.map { String($0.hasSuffix("/") ? $0.dropLast() : $0) } ?? ""
    }

    /// The value of the header field `Host`.
    public var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
    /// The value of the header field `Authorization`.
    public var authorization: String? { key.map { "Bearer \($0)" } }
    /// Without the key.
    public var description: String { "http://\(authority)\(path)" }
}
