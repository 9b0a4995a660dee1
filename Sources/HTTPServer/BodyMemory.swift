import NIOCore
import Synchronization

/// The memory that the bodies of all connections have together while they arrive.
///
/// Over the limit only some read on, first come, first served: if none did, bodies of which each has a part would wait for
/// each other. Small bodies never wait, or a few clients that send large ones slowly would keep everybody waiting; the
/// number of connections bounds them.
final class BodyMemory: Sendable {
    /// How large a body is small, in bytes.
    static let allowance = 16 << 10
    /// How many bodies read on over the limit.
    private static let places = 16

    /// Told to a connection that has waited.
    struct RoomAvailable: Sendable {}

    private struct State {
        var used = 0
        /// Who reads on over the limit.
        var placed: Set<ObjectIdentifier> = []
        var waiting: [any Channel] = []

        /// Takes out those who wait and may go on.
        mutating func admit(_ limit: Int) -> [any Channel] {
            let count = used <= limit ? waiting.count : min(waiting.count, places - placed.count)
            let admitted = Array(waiting.prefix(count))
            waiting.removeFirst(count)
            if used > limit { placed.formUnion(admitted.map { ObjectIdentifier($0) }) } else { placed = [] }
            return admitted
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: In bytes.
    init(limit: Int) { self.limit = limit }

    /// In bytes.
    var used: Int { state.withLock(\.used) }

    /// Counts bytes of a body that have come.
    ///
    /// - Parameter isWaiting: Whether it has been told already to wait.
    /// - Returns: Whether the connection may read on; if not, it is told when it may.
    func add(_ bytes: Int, for channel: any Channel, isWaiting: Bool) -> Bool {
        state.withLock { state in
            state.used += bytes
            if isWaiting { return false }
            let id = ObjectIdentifier(channel)
            if state.used <= limit || state.placed.contains(id) { return true }
            if state.placed.count < Self.places {
                state.placed.insert(id)
                return true
            }
            state.waiting.append(channel)
            return false
        }
    }

    /// Gives the memory of a body back.
    func remove(_ bytes: Int, for channel: any Channel, isWaiting: Bool) {
        if bytes == 0 { return }
        let admitted = state.withLock { state in
            state.used -= bytes
            state.placed.remove(ObjectIdentifier(channel))
            if isWaiting { state.waiting.removeAll { $0 === channel } }
            return state.admit(limit)
        }
        for channel in admitted { channel.tell(RoomAvailable()) }
    }
}

extension Channel {
    /// Tells a connection something, later: whoever tells it may be in the middle of its own affairs, or of that one's.
    func tell(_ event: some Sendable) {
        eventLoop.execute { self.pipeline.fireUserInboundEventTriggered(event) }
    }
}
