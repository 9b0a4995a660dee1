import HTTPAPI
public import HummingbirdCore
public import Logging
public import Metrics
public import NIOCore
import NIOHTTP1
import NIOPosix
public import Prometheus
public import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How long clients may take, and how much of the instance they may have.
public struct ServerLimits: Sendable {
    /// The most connections.
    public var connections = 1000
    /// The memory of bodies that arrive, of all connections together, in bytes.
    public var bodyMemory = 64 << 20
    /// For a request's head, from its first byte.
    public var head = TimeAmount.seconds(10)
    /// For a request's body.
    public var body = TimeAmount.seconds(30)
    /// After so long a body must come at ``bodyRate``.
    public var slowBody = TimeAmount.seconds(5)
    /// In bytes a second.
    public var bodyRate: Int64 = 1024
    /// Between two requests.
    public var idle = TimeAmount.seconds(75)
    /// For reading any part of an answer.
    public var unread = TimeAmount.seconds(30)
    /// Beyond so many answers whose clients do not read on, one whose client has read nothing for moments goes.
    public var unreadAnswers = 8
    /// For the client to close its side after the last answer.
    public var ending = TimeAmount.seconds(2)

    public init() {}
}

/// Receives requests over HTTP/1.1 and 1.0 and has them answered, until the service group shuts down: then what is under
/// way is answered, and the connections end.
///
/// Hummingbird's server listens and ends in order; what happens on a connection is ``ConnectionHandler``'s.
public struct HTTPServer: Service {
    /// What the registry must know.
    public static let families = Incidents.families

    private let configuration: ServerConfiguration
    private let shared: ServerState
    private let onRunning: @Sendable (any Channel) async -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - address: Where to listen.
    ///   - metrics: What the connections are counted in; it knows ``families``.
    ///   - onRunning: Called with the channel that listens.
    public init(
        _ responder: any Responder, at address: BindAddress, limits: ServerLimits = ServerLimits(), logger: Logger,
        metrics: any MetricsFactory = MetricsSystem.factory,
        onRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
    ) {
        configuration = ServerConfiguration(address: address)
        shared = ServerState(responder, limits, Incidents(metrics, logger: logger))
        self.onRunning = onRunning
        self.logger = logger
    }

    public func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask {
                var round = 0
                while (try? await Task.sleep(for: .milliseconds(250))) != nil {
                    round += 1
                    shared.check(reports: round.isMultiple(of: 40))
                }
            }
            let server = ConnectionSetup(shared: shared).server(
                configuration: configuration, onServerRunning: onRunning,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
            try await server.run()
            group.cancelAll()
        }
        shared.check(reports: true)
    }
}

/// Now, in the form of RFC 9110, section 5.6.7.
private func httpDate() -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
        // The names of days and months are English, as no locale is set.
        strftime(text.baseAddress!, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(cString: text.baseAddress!)
    }
}

/// What all connections share.
final class ServerState: Sendable {
    let responder: any Responder
    let limits: ServerLimits
    let incidents: Incidents
    let connections: Connections
    let bodyMemory: BodyMemory
    private let currentDate = Mutex(httpDate())

    /// Now, as the header field `Date` has it, or moments ago.
    var date: String { currentDate.withLock { $0 } }

    init(_ responder: any Responder, _ limits: ServerLimits, _ incidents: Incidents) {
        self.responder = responder
        self.limits = limits
        self.incidents = incidents
        connections = Connections(limit: limits.connections, incidents: incidents)
        bodyMemory = BodyMemory(limit: limits.bodyMemory)
    }

    /// Looks after what nobody else does, several times a second.
    func check(reports: Bool) {
        connections.check(now: .now())
        currentDate.withLock { $0 = httpDate() }
        incidents.record(connections: connections.count, bodyMemory: bodyMemory.used)
        if reports { incidents.report() }
    }
}

/// Sets up each connection that Hummingbird's server takes.
private struct ConnectionSetup: ServerChildChannel {
    struct Value: ServerChildChannelValue { let channel: any Channel }

    let shared: ServerState

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let connection = Connection(channel)
            let admission = shared.connections.add(connection)
            let options = channel.syncOptions
            // One read brings what is parsed before the handler can hold the next one back.
            try options?.setOption(.maxMessagesPerRead, value: 1)
            try options?.setOption(.writeBufferWaterMark, value: .init(low: 32 << 10, high: 64 << 10))
            try channel.pipeline.syncOperations.addHTTPHandlers(shared, connection, admission)
            return Value(channel: channel)
        }
    }

    /// Keeps the server from ending before its connections, unless patience has come to its end.
    func handle(value: Value, logger: Logger) async {
        await withTaskCancellationHandler {
            try? await value.channel.closeFuture.get()
        } onCancel: {
            value.channel.close(promise: nil)
        }
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Adds NIO's decoder, and a connection's handler.
    func addHTTPHandlers(
        _ shared: ServerState, _ connection: Connection, _ admission: Connections.Admission
    ) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 64 << 10
        limits.maxHeaderListSize = 64 << 10
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
        let reader = ByteToMessageHandler(decoder, maximumBufferSize: 128 << 10)
        try addHandlers([reader, ConnectionHandler(shared, connection, admission)])
    }
}
