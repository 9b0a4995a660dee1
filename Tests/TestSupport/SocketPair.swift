import Foundation

/// Two connected sockets, one of them for a child process.
///
/// No other child inherits them.
struct SocketPair: Sendable {
    let ours: FileHandle
    let theirs: FileHandle

    init() throws {
        var descriptors: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &descriptors) == 0 else { throw POSIXError(.EMFILE) }
        ours = FileHandle(fileDescriptor: descriptors[0], closeOnDealloc: true)
        theirs = FileHandle(fileDescriptor: descriptors[1], closeOnDealloc: true)
    }

    /// Sends all of it to the child.
    ///
    /// - Returns: Whether the child was there to take it.
    func send(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(ours.fileDescriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Waits for more from the child; empty when it has ended.
    func receive() -> Data { ours.availableData }
}
