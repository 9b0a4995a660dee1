import Histogram
import NIOCore
import NIOHTTP1
import NIOPosix
import PlainHTTP

/// Sends the requests of one event loop over its connections. It belongs to that event loop and waits for no other.
///
/// It opens its connections itself, because a general HTTP client needs three times the processor for a request (see
/// docs/decisions/0008): that would be taken from the service on the same machine.
final class Worker {
    /// The time of the load, and the part of it that is measured.
    struct Period: Sendable {
        let start: NIODeadline
        let measuredFrom: NIODeadline
        var end: NIODeadline

        func measures(_ time: NIODeadline) -> Bool { time >= measuredFrom && time < end }
    }

    private static let answerTimeout = TimeAmount.seconds(30)
    private static let reconnectDelay = TimeAmount.milliseconds(100)

    private let loop: any EventLoop
    private let urls: [BaseURL]
    private let phonePrefix: String
    private var traffic: Traffic
    /// `nil` in a closed loop.
    private var schedule: Schedule?
    private var period: Period
    private var tally = Tally()
    private var interval = Interval()
    private var connections: [ObjectIdentifier: LoadConnection] = [:]
    /// Connections of an open loop that have nothing to do, the one that waits longest first.
    private var idle = CircularBuffer<LoadConnection>()
    private var alarm: Scheduled<Void>?
    private var watch: RepeatedTask?
    /// Connections that are open or will be opened again.
    private var remaining = 0
    private let end: EventLoopPromise<Tally>

    /// - Parameters:
    ///   - urls: The instance of each connection.
    ///   - phonePrefix: The beginning of the phones of this worker's leads, and of no other's.
    init(
        _ urls: [BaseURL], traffic: Traffic, schedule: Schedule?, phonePrefix: String, period: Period,
        on loop: any EventLoop
    ) {
        self.loop = loop
        self.urls = urls
        self.traffic = traffic
        self.schedule = schedule
        self.phonePrefix = phonePrefix
        self.period = period
        end = loop.makePromise()
    }

    /// Opens the connections.
    ///
    /// - Returns: The results, when the load has ended and the last request was answered or given up.
    func start() -> EventLoopFuture<Tally> {
        remaining = urls.count
        urls.forEach(connect)
        let bound = NIOLoopBound(self, eventLoop: loop)
        watch = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.closeOverdue()
        }
        loop.scheduleTask(deadline: period.end) { bound.value.stop() }
        return end.futureResult
    }

    /// Sends no more requests; those under way may be answered yet.
    func stop() {
        period.end = min(period.end, .now())
        while let connection = idle.popFirst() { connection.close() }
    }

    /// The latencies since the last call, and all errors.
    func takeInterval() -> Interval {
        defer { interval.latencies = Tally.emptyHistogram }
        return interval
    }

    /// The number of contacts that were acknowledged as registered and not as closed.
    var openContacts: Int { tally.ledger.registered.count - tally.ledger.closed.count }

    /// The HTTP message of a request.
    func message(for request: Traffic.Request) -> (HTTPMethod, path: String, ByteBuffer) {
        switch request {
        case .register(let source, let lead):
            let body = """
                {"source_id":\(source),"lead_phone":"\(phonePrefix)\(lead)","lead_name":"Петр Петров",\
                "message":"Хочу узнать о продукте"}
                """
            return (.POST, "/api/v1/contacts", ByteBuffer(string: body))
        case .close(let contact):
            return (.PATCH, "/api/v1/contacts/\(contact)", ByteBuffer(string: #"{"status":"closed"}"#))
        }
    }

    // MARK: - What connections tell

    func hasOpened(_ connection: LoadConnection) {
        connections[ObjectIdentifier(connection)] = connection
        isReady(connection)
    }

    func isReady(_ connection: LoadConnection) {
        let now = NIODeadline.now()
        guard now < period.end else { return connection.close() }
        if schedule == nil { return connection.send(traffic.next(), due: now, at: now) }
        idle.append(connection)
        sendDue(at: now)
    }

    func answered(_ pending: LoadConnection.Pending, status: Int, id: Int64?) {
        let latency = UInt64(max(0, (NIODeadline.now() - pending.due).nanoseconds / 1000))
        let isMeasured = period.measures(pending.sent)
        if isMeasured { tally.statuses[status, default: 0] += 1 }
        switch (pending.request, status, id) {
        case (.register, 201, let id?):
            if !tally.ledger.registered.insert(id) { tally.ledger.repeated += 1 }
            traffic.registered(id)
            if isMeasured { tally.registrations.record(latency) }
        case (.close(let contact), 200, let id?) where id == contact:
            tally.ledger.closed.insert(contact)
            if isMeasured { tally.closings.record(latency) }
        case (_, 200...299, _):
            return count("\(status) without the contact", isMeasured)
        case (.register, 500..., _):
            tally.ledger.unknown += 1
            fallthrough
        default:
            interval.errors += 1
            return
        }
        interval.latencies.record(latency)
    }

    func hasClosed(_ connection: LoadConnection, unanswered: LoadConnection.Pending?, because reason: String?) {
        connections[ObjectIdentifier(connection)] = nil
        idle.removeAll { $0 === connection }
        if let unanswered {
            if case .register = unanswered.request { tally.ledger.unknown += 1 }
            count(reason ?? "connection closed", period.measures(unanswered.sent))
        }
        reconnect(to: connection.url, in: connection.hasAnswered ? .zero : Self.reconnectDelay)
    }

    // MARK: -

    private func count(_ error: String, _ isMeasured: Bool) {
        interval.errors += 1
        if isMeasured { tally.errors[error, default: 0] += 1 }
    }

    private func sendDue(at now: NIODeadline) {
        while !idle.isEmpty, let due = schedule?.take(at: now.uptimeNanoseconds) {
            idle.removeFirst().send(traffic.next(), due: .uptimeNanoseconds(due), at: now)
        }
        guard !idle.isEmpty, alarm == nil, let next = schedule?.next else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        alarm = loop.scheduleTask(deadline: .uptimeNanoseconds(next)) {
            let worker = bound.value
            worker.alarm = nil
            let now = NIODeadline.now()
            if now < worker.period.end { worker.sendDue(at: now) }
        }
    }

    private func connect(to url: BaseURL) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(LoadConnection(url, worker: bound.value))
                }
            }
            .connect(host: url.host, port: url.port)
            .whenFailure { error in
                let worker = bound.value
                worker.count(errorKind(error), worker.period.measures(.now()))
                worker.reconnect(to: url, in: Self.reconnectDelay)
            }
    }

    /// Replaces a connection that is closed, as long as there is load.
    private func reconnect(to url: BaseURL, in delay: TimeAmount) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: delay) {
            let worker = bound.value
            if NIODeadline.now() < worker.period.end { return worker.connect(to: url) }
            worker.remaining -= 1
            if worker.remaining == 0 { worker.finish() }
        }
    }

    private func closeOverdue() {
        let limit = NIODeadline.now() - Self.answerTimeout
        for connection in connections.values where connection.pending.map({ $0.sent < limit }) ?? false {
            connection.close(because: "no answer in \(Self.answerTimeout.nanoseconds / 1_000_000_000) s")
        }
    }

    private func finish() {
        watch?.cancel()
        alarm?.cancel()
        tally.unsent = schedule?.untaken(before: period.end.uptimeNanoseconds) ?? 0
        end.succeed(tally)
    }
}
