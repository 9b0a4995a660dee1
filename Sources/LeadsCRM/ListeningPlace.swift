import HTTPAPI
import HummingbirdCore
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where `serve` listens: an address with a port, or a socket in the file system.
enum ListeningPlace {
    case port(host: String, Int)
    case unixSocket(path: String)

    /// - Parameter host: An address, a name, or `unix:` with a path.
    init(host: String, port: Int) {
        let scheme = "unix:"
        self =
            host.hasPrefix(scheme) ? .unixSocket(path: String(host.dropFirst(scheme.count))) : .port(host: host, port)
    }

    var address: BindAddress {
        switch self {
        case .port(let host, let port): .hostname(host, port: port)
        case .unixSocket(let path): .unixDomainSocket(path: path)
        }
    }

    /// What is safe if nothing else is said. No browser reaches a socket, and a proxy is called by names of its own.
    var allowedHosts: AllowedHosts {
        switch self {
        case .port(let host, let port):
            // Loopback has many spellings: 127.1, a name in /etc/hosts.
            AllowedHosts(
                listeningOn: (try? SocketAddress.makeAddressResolvingHost(host, port: port))?.ipAddress ?? host)
        case .unixSocket: .any
        }
    }

    /// Whether nobody reaches it from elsewhere but through a proxy.
    var isLocal: Bool {
        if case .unixSocket = self { true } else { allowedHosts == .loopback }
    }

    /// Makes sure that no other instance loses its socket to this one.
    ///
    /// - Throws: ``AddressRefused``.
    func prepare() async throws {
        guard case .unixSocket(let path) = self,
            let other = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path).get()
        else { return }
        try? await other.close()
        throw AddressRefused(self, IOError(errnoCode: EADDRINUSE, reason: "bind"))
    }

    /// Lets a proxy in that runs under another account; who shall not come in is kept out by the folder.
    func open() {
        if case .unixSocket(let path) = self { chmod(path, 0o666) }
    }

    /// How clients call it, and the beginning of a call by curl.
    func endpoint(at address: SocketAddress) -> (String, curl: String) {
        if case .unixSocket(let path) = self {
            return ("unix:\(path)", "curl --unix-socket \(path) -X POST http://localhost")
        }
        let host = address.ipAddress ?? ""
        let endpoint = "http://\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
        return (endpoint, "curl -X POST \(endpoint)")
    }
}

extension ListeningPlace: CustomStringConvertible {
    var description: String {
        switch self {
        case .port(let host, let port): "\(host), port \(port)"
        case .unixSocket(let path): "the socket \(path)"
        }
    }
}
