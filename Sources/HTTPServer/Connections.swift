import NIOCore
import Synchronization

/// A connection, as far as others look at it.
final class Connection: Sendable {
    enum Activity: UInt8, AtomicRepresentable {
        case busy
        /// Between two requests.
        case idle
        /// An answer waits for its client to read on.
        case unread
    }

    let channel: any Channel
    private let deadline = Atomic<UInt64>(.max)
    private let activity = Atomic(Activity.busy)

    init(_ channel: any Channel) { self.channel = channel }

    /// Sets until when what is expected of the client must have come; `nil`: nothing is expected.
    func expect(by deadline: NIODeadline?, _ activity: Activity = .busy) {
        self.deadline.store(deadline?.uptimeNanoseconds ?? .max, ordering: .relaxed)
        self.activity.store(activity, ordering: .relaxed)
    }

    func isLate(_ now: NIODeadline) -> Bool { deadline.load(ordering: .relaxed) <= now.uptimeNanoseconds }

    fileprivate func isDoing(_ activity: Activity) -> Bool { self.activity.load(ordering: .relaxed) == activity }

    /// Whether it was still doing this, and is taken for busy from now on.
    fileprivate func take(_ activity: Activity) -> Bool {
        self.activity.compareExchange(expected: activity, desired: .busy, ordering: .relaxed).exchanged
    }

    /// The one that has done this for longest.
    fileprivate static func oldest(_ activity: Activity, of all: some Sequence<Connection>) -> Connection? {
        let doing = all.filter { $0.isDoing(activity) }
        return doing.min { $0.deadline.load(ordering: .relaxed) < $1.deadline.load(ordering: .relaxed) }
    }
}

/// All connections of an instance, and their number's limit.
final class Connections: Sendable {
    /// Told to connections: what they wait for must have come.
    struct TimePassed: Sendable {
        let now: NIODeadline
    }
    /// Told to a connection: another one needs its place, or its memory.
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
            // One may have become busy while it was chosen.
            while let oldest = Connection.oldest(.idle, of: all.values) {
                if oldest.take(.idle) { return (.open, oldest) }
            }
            return (.refused, nil)
        }
        if admission != .open { incidents.count(.refused) }
        if let evicted {
            incidents.count(.evicted)
            evicted.channel.tell(Evicted())
        }
        return admission
    }

    /// Notes that a client has not read its answer, which is kept for it. If there are many such, the one that has read
    /// nothing for longest goes: if that is more than moments, or there are twice as many.
    func keepUnread(limit: Int, since: NIODeadline) {
        let evicted = all.withLock { all -> Connection? in
            let count = all.values.count { $0.isDoing(.unread) }
            guard count > limit, let oldest = Connection.oldest(.unread, of: all.values) else { return nil }
            return (oldest.isLate(since) || count > 2 * limit) && oldest.take(.unread) ? oldest : nil
        }
        evicted?.channel.tell(Evicted())
    }

    func remove(_ connection: Connection) { all.withLock { $0[ObjectIdentifier(connection)] = nil } }

    /// Those for whose clients the time has passed.
    func late(_ now: NIODeadline) -> [Connection] { all.withLock { $0.values.filter { $0.isLate(now) } } }

    func check(now: NIODeadline) {
        for connection in late(now) {
            connection.channel.tell(TimePassed(now: now))
        }
    }
}
