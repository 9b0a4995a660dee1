import NIOCore
import Synchronization

/// A connection, as far as others look at it.
final class Connection: Sendable {
    let channel: any Channel
    private let deadline = Atomic<UInt64>(.max)
    private let idle = Atomic(false)

    init(_ channel: any Channel) { self.channel = channel }

    /// Sets until when what is expected of the client must have come; `nil`: nothing is expected.
    ///
    /// - Parameter isIdle: Whether the connection may be closed at any time.
    func expect(by deadline: NIODeadline?, isIdle: Bool = false) {
        self.deadline.store(deadline?.uptimeNanoseconds ?? .max, ordering: .relaxed)
        idle.store(isIdle, ordering: .relaxed)
    }

    func isLate(_ now: NIODeadline) -> Bool { deadline.load(ordering: .relaxed) <= now.uptimeNanoseconds }

    /// Since when nothing was asked, in the order of time; `nil`: it is busy.
    fileprivate var idleness: UInt64? { idle.load(ordering: .relaxed) ? deadline.load(ordering: .relaxed) : nil }

    /// Whether it was idle, and is taken for busy from now on.
    fileprivate func take() -> Bool { idle.exchange(false, ordering: .relaxed) }
}

/// All connections of an instance, and their number's limit.
final class Connections: Sendable {
    /// Told to connections: what they wait for must have come.
    struct TimePassed: Sendable {
        let now: NIODeadline
    }
    /// Told to a connection: another one needs its place.
    struct Evicted: Sendable {}

    enum Admission {
        case open
        /// There is room for an answer that says so, and no more.
        case refused
        case closed
    }

    /// How many may be there beyond the limit, until they have read that there is no room.
    static let reserve = 64

    private let limit: Int
    private let incidents: Incidents
    private let all = Mutex<[ObjectIdentifier: Connection]>([:])

    init(limit: Int, incidents: Incidents) {
        self.limit = limit
        self.incidents = incidents
    }

    var count: Int { all.withLock(\.count) }

    /// Adds a connection. If there are too many, the one that is idle for longest goes.
    func add(_ connection: Connection) -> Admission {
        let (admission, evicted) = all.withLock { all -> (Admission, Connection?) in
            guard all.count < limit + Self.reserve else { return (.closed, nil) }
            all[ObjectIdentifier(connection)] = connection
            guard all.count > limit else { return (.open, nil) }
            let oldest = all.values.filter { $0.idleness != nil }.min { $0.idleness ?? .max < $1.idleness ?? .max }
            return oldest?.take() == true ? (.open, oldest) : (.refused, nil)
        }
        if admission != .open { incidents.count(.refused) }
        if let evicted {
            incidents.count(.evicted)
            evicted.channel.pipeline.fireUserInboundEventTriggered(Evicted())
        }
        return admission
    }

    func remove(_ connection: Connection) { all.withLock { $0[ObjectIdentifier(connection)] = nil } }

    /// Those for whose clients the time has passed.
    func late(_ now: NIODeadline) -> [Connection] { all.withLock { $0.values.filter { $0.isLate(now) } } }

    func check(now: NIODeadline) {
        for connection in late(now) {
            connection.channel.pipeline.fireUserInboundEventTriggered(TimePassed(now: now))
        }
    }
}
