/// The names under which the service answers.
///
/// A page of another site can let its own name lead to this machine (DNS rebinding), and its browser then takes it for a
/// page of this service, which may read all answers. What it cannot help is that the browser sends that name as `Host`.
public enum AllowedHosts: Sendable, Equatable {
    case any
    /// `localhost` and all below it, 127.0.0.0/8, also mapped to IPv6, and ::1.
    case loopback
    case named(Set<String>)

    /// - Parameter list: Names and addresses, separated by commas; `*` stands for any. An empty one makes it `nil`.
    public init?(_ list: String) {
        let names = list.split(separator: ",", omittingEmptySubsequences: false).map {
            Self.name(String($0.filter { !$0.isWhitespace }))
        }
        guard names.allSatisfy({ !$0.isEmpty }) else { return nil }
        self = names.contains("*") ? .any : .named(Set(names))
    }

    /// What is safe if nothing else is said: who listens on loopback alone is called from there.
    ///
    /// - Parameter address: A name of loopback, or a numeric address in its usual form.
    public init(listeningOn address: String) {
        self = Self.isLoopback(Self.name(address)) ? .loopback : .any
    }

    /// - Parameter authority: The field `Host`. Browsers always send one; old programs and checks of load balancers,
    ///   which no page can misuse, send none.
    func contains(_ authority: String?) -> Bool {
        guard let authority, !authority.isEmpty else { return true }
        switch self {
        case .any: return true
        case .loopback: return Self.isLoopback(Self.name(authority))
        case .named(let names): return names.contains(Self.name(authority))
        }
    }

    /// The host without port, without the brackets of an IPv6 address and the dot of a full name, in lower case.
    private static func name(_ authority: String) -> String {
        let colon = UInt8(ascii: ":")
        var host = authority.utf8[...]
        if host.first == UInt8(ascii: "[") {
            host = host.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        } else if let first = host.firstIndex(of: colon), !host[first...].dropFirst().contains(colon) {
            host = host[..<first]
        }
        if host.last == UInt8(ascii: ".") { host = host.dropLast() }
        return Substring(host).lowercased()
    }

    private static func isLoopback(_ name: String) -> Bool {
        let mapped = "::ffff:"
        if name.hasPrefix(mapped + "127.") { return isLoopback(String(name.dropFirst(mapped.count))) }
        let octets = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if octets.count == 4, octets.allSatisfy({ UInt8(Substring($0)) != nil }) { return name.hasPrefix("127.") }
        return name == "localhost" || name.hasSuffix(".localhost") || name == "::1"
    }
}
