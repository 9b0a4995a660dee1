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
    /// How long after the load requests of unknown outcome are repeated.
    private static let settlingTime = TimeAmount.seconds(60)

    private let loop: any EventLoop
    private let urls: [BaseURL]
    private let prefix: String
    private var traffic: Traffic
    private var keys = KeyBook()
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
    ///   - prefix: The beginning of the phones of this worker's leads and of its keys, and of no other's.
    init(
        _ urls: [BaseURL], traffic: Traffic, schedule: Schedule?, prefix: String, period: Period,
        on loop: any EventLoop
    ) {
        self.loop = loop
        self.urls = urls
        self.traffic = traffic
        self.schedule = schedule
        self.prefix = prefix
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

    /// Sends nothing new; requests under way may be answered yet, and those with a key be repeated.
    func stop() {
        period.end = min(period.end, .now())
        while let connection = idle.popFirst() { isReady(connection) }
    }

    /// The latencies since the last call, and all errors.
    func takeInterval() -> Interval {
        defer { interval.latencies = Tally.emptyHistogram }
        return interval
    }

    /// The number of contacts that were acknowledged as registered and not as closed.
    var openContacts: Int { tally.ledger.registered.count - tally.ledger.closed.count }

    // MARK: - What connections tell

    func hasOpened(_ connection: LoadConnection) {
        connections[ObjectIdentifier(connection)] = connection
        isReady(connection)
    }

    func isReady(_ connection: LoadConnection) {
        let now = NIODeadline.now()
        if now >= period.end {
            guard mayRepeat(at: now), let repetition = keys.next() else { return connection.close() }
            return send(.register(repetition), over: connection, due: now, at: now)
        }
        if schedule == nil { return sendNext(over: connection, due: now, at: now) }
        idle.append(connection)
        sendDue(at: now)
    }

    func answered(_ pending: LoadConnection.Pending, status: Int, isReplay: Bool, _ body: ByteBuffer) {
        let latency = UInt64(max(0, (NIODeadline.now() - pending.due).nanoseconds / 1000))
        let isMeasured = period.measures(pending.sent)
        if isMeasured { tally.statuses[status, default: 0] += 1 }
        let isDone: Bool
        switch pending.request {
        case .register(let registration):
            let receipt = Receipt(registration, answered: status, body)
            if status == 200, registration.isBatch {
                tally.ledger.batches += 1
                if !receipt.isOrdered { tally.ledger.disordered += 1 }
            }
            if receipt.unknown > 0 { lose(registration, receipt.unknown) }
            // All answers to a key name the same contacts.
            let isNews =
                !registration.hasKey
                || receipt.unknown == 0
                    && keys.answer(
                        registration, status < 300 ? body : nil, isReplay: isReplay, mustReplay: pending.mustReplay)
            if isNews { acknowledge(receipt.ids) }
            isDone = receipt.ids.count == registration.contacts.count
            if isDone, isMeasured { tally.registrations.record(latency) }
        case .close(let contact):
            isDone = status == 200 && body.withUnsafeReadableBytes { topLevelID(of: $0) } == contact
            if isDone { tally.ledger.closed.insert(contact) }
            if isDone, isMeasured { tally.closings.record(latency) }
        }
        if isDone {
            interval.latencies.record(latency)
        } else if status < 300 {
            count("\(status) without the contact", isMeasured)
        } else {
            interval.errors += 1
        }
    }

    func hasClosed(_ connection: LoadConnection, unanswered: LoadConnection.Pending?, because reason: String?) {
        connections[ObjectIdentifier(connection)] = nil
        idle.removeAll { $0 === connection }
        if let unanswered {
            if case .register(let registration) = unanswered.request { lose(registration, registration.contacts.count) }
            count(reason ?? "connection closed", period.measures(unanswered.sent))
        }
        reconnect(to: connection.url, in: connection.hasAnswered ? .zero : Self.reconnectDelay)
    }

    // MARK: -

    private func count(_ error: String, _ isMeasured: Bool) {
        interval.errors += 1
        if isMeasured { tally.errors[error, default: 0] += 1 }
    }

    /// Notes contacts whose registration was acknowledged for the first time.
    private func acknowledge(_ ids: [Int64]) {
        for id in ids {
            if !tally.ledger.registered.insert(id) { tally.ledger.repeated += 1 }
            traffic.registered(id)
        }
    }

    /// Notes that it is unknown what became of some of a registration's contacts.
    private func lose(_ registration: Registration, _ contacts: Int) {
        if registration.hasKey { keys.lose(registration) } else { tally.ledger.unknown += contacts }
    }

    private func sendDue(at now: NIODeadline) {
        while !idle.isEmpty, let due = schedule?.take(at: now.uptimeNanoseconds) {
            sendNext(over: idle.removeFirst(), due: .uptimeNanoseconds(due), at: now)
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

    private func sendNext(over connection: LoadConnection, due: NIODeadline, at now: NIODeadline) {
        let request = keys.next().map(Traffic.Request.register) ?? traffic.next()
        send(request, over: connection, due: due, at: now)
    }

    private func send(
        _ request: Traffic.Request, over connection: LoadConnection, due: NIODeadline, at now: NIODeadline
    ) {
        var mustReplay = false
        if case .register(let registration) = request, registration.hasKey { mustReplay = keys.send(registration) }
        connection.send(
            .init(request: request, mustReplay: mustReplay, due: due, sent: now), request.message(prefix: prefix))
    }

    /// Whether the time has not passed in which requests of unknown outcome are repeated.
    private func mayRepeat(at now: NIODeadline) -> Bool { now < period.end + Self.settlingTime }

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

    /// Replaces a connection that is closed, as long as there is load; after it, by one to any instance, as long as
    /// something is to be repeated.
    private func reconnect(to url: BaseURL, in delay: TimeAmount) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: delay) {
            let worker = bound.value
            let now = NIODeadline.now()
            if now < worker.period.end { return worker.connect(to: url) }
            if worker.keys.isDue, worker.mayRepeat(at: now) { return worker.connect(to: worker.urls.randomElement()!) }
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
        tally.ledger.unknown += keys.close()
        tally.ledger.keys = keys.counts
        tally.unsent = schedule?.untaken(before: period.end.uptimeNanoseconds) ?? 0
        end.succeed(tally)
    }
}
