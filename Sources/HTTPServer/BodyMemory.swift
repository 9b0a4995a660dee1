import NIOCore
import Synchronization

/// The memory that the bodies of all connections have together while they arrive.
///
/// Over the limit nobody with a larger body reads on until there is room. Small bodies never wait, or a few clients that
/// send large ones slowly would keep everybody waiting; the number of connections bounds them.
final class BodyMemory: Sendable {
    /// How large a body is small, in bytes.
    static let allowance = 16 << 10

    /// Told to a connection that has waited.
    struct RoomAvailable: Sendable {}

    private struct State {
        var used = 0
        var waiting: [any Channel] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: In bytes.
    init(limit: Int) { self.limit = limit }

    /// In bytes.
    var used: Int { state.withLock(\.used) }

    /// Counts bytes that have come.
    ///
    /// - Returns: Whether the connection may read on; if not, it is told when it may.
    func add(_ bytes: Int, for channel: any Channel) -> Bool {
        state.withLock { state in
            state.used += bytes
            if state.used <= limit { return true }
            state.waiting.append(channel)
            return false
        }
    }

    func remove(_ bytes: Int) {
        if bytes == 0 { return }
        let woken = state.withLock { state -> [any Channel] in
            state.used -= bytes
            guard state.used <= limit else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for channel in woken { channel.pipeline.fireUserInboundEventTriggered(RoomAvailable()) }
    }
}
