import Foundation
import Synchronization

/// Stands between libpq and PostgreSQL, and cuts the connection at the next COMMIT, or another statement: before the server
/// has got it, as soon as it has got it, or after it has answered it.
final class CommitProxy: Sendable {
    enum Cut: Sendable {
        case beforeServerCommits, afterServerCommitted
        /// Lets nobody in any more, either.
        case whileServerCommits
    }

    /// The folder of the proxy's socket: `host` for libpq.
    let folder: String
    private let target: String
    private let request: String
    private let answer: String
    private let listener: Int32
    private let cut: Mutex<Cut?>

    /// - Parameters:
    ///   - host: The folder of PostgreSQL's socket.
    ///   - folder: The folder for the proxy's socket; its path must be short.
    ///   - request: By which it knows what to cut: a text that the client sends.
    ///   - answer: A text with which the server answers it.
    init(host: String, folder: String, cut: Cut? = nil, request: String = "COMMIT", answer: String = "COMMIT\0") throws
    {
        self.folder = folder
        (self.request, self.answer) = (request, answer)
        self.cut = Mutex(cut)
        target = host + "/.s.PGSQL.5432"
        unlink(folder + "/.s.PGSQL.5432")
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let isListening = Self.withAddress(folder + "/.s.PGSQL.5432") { bind(listener, $0, $1) == 0 }
        guard isListening, listen(listener, 8) == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        Thread.detachNewThread { [self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                Thread.detachNewThread { self.serve(client) }
            }
        }
    }

    /// Whether the cut is still to come.
    var isArmed: Bool { cut.withLock { $0 != nil } }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func serve(_ client: Int32) {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(client)
            close(server)
        }
        guard Self.withAddress(target, { connect(server, $0, $1) == 0 }) else { return }
        var sockets = [
            pollfd(fd: client, events: Int16(POLLIN), revents: 0),
            pollfd(fd: server, events: Int16(POLLIN), revents: 0),
        ]
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var mutesServer = false
        while poll(&sockets, 2, -1) > 0 {
            for (from, to) in [(0, server), (1, client)] where sockets[from].revents != 0 {
                let count = read(sockets[from].fd, &bytes, bytes.count)
                guard count > 0 else { return }
                if from == 0, Self.contains(bytes[..<count], request) {
                    switch cut.withLock({ cut in
                        defer { cut = nil }; return cut
                    }) {
                    case .beforeServerCommits: return
                    case .whileServerCommits:
                        _ = write(to, bytes, count)
                        stop()
                        return
                    case .afterServerCommitted: mutesServer = true
                    case nil: break
                    }
                }
                // The answer to a COMMIT has come when its ReadyForQuery has.
                if from == 1, mutesServer {
                    if Self.contains(bytes[..<count], answer) { return }
                    continue
                }
                guard write(to, bytes, count) == count else { return }
            }
        }
    }

    private static func contains(_ bytes: ArraySlice<UInt8>, _ text: String) -> Bool {
        Data(bytes).range(of: Data(text.utf8)) != nil
    }

    private static func withAddress<R>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
