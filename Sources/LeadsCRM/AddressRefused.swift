import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The error that the server cannot listen on an address.
struct AddressRefused: Error, CustomStringConvertible {
    /// Whether another program listens there.
    let isTaken: Bool
    let found: String
    let remedy: String

    /// - Parameter error: What binding the address threw.
    init(_ place: ListeningPlace, _ error: any Error) {
        let code = (error as? IOError)?.errnoCode
        isTaken = code == EADDRINUSE
        switch code {
        case EADDRINUSE:
            found = "\(place) is taken, by a running instance perhaps"
            remedy =
                switch place {
                case .port(_, let port):
                    "another port, for another instance: --port \(port == 65_535 ? 8000 : port + 1), or PORT"
                case .unixSocket: "another path, for another instance: --host, or HOST"
                }
        case EACCES:
            found = "\(place): this account may not use it"
            remedy =
                switch place {
                case .port: "a port from 1024 on: --port 8000, or PORT"
                case .unixSocket: "a folder in which this account may write"
                }
        default:
            found = "\(place): \(code.map { String(cString: strerror($0)) } ?? "\(error)")"
            remedy = "--host 127.0.0.1 (or HOST) for this machine alone, 0.0.0.0 for all its addresses"
        }
    }

    var description: String { "\(found)\n  → \(remedy)" }
}
