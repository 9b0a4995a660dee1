import HTTPAPI
import HTTPTypes
import Logging
import Metrics
import NIOCore
import NIOEmbedded
import Prometheus
import Synchronization

@testable import HTTPServer

/// Answers when the test says so.
final class TestResponder: Responder {
    struct Exchange: RequestExchange {
        var bodyLimit: Int { responder.bodyLimit }

        let request: Request
        let responder: TestResponder
        let isRefused: Bool

        func answer(body: ByteBuffer, on eventLoop: any EventLoop, reply: @escaping @Sendable (Response) -> Void) {
            responder.asked.withLock { $0.append((request, String(buffer: body), reply)) }
            if isRefused { reply(Response(.notFound, "refused")) }
        }

        func refuse(_ code: ErrorCode) -> Response { responder.refuse(code) }
    }

    let bodyLimit: Int

    init(bodyLimit: Int) { self.bodyLimit = bodyLimit }

    /// Requests that were handed over whole, with their bodies.
    let asked = Mutex<[(request: Request, body: String, reply: @Sendable (Response) -> Void)]>([])

    func receive(_ request: Request) -> any RequestExchange {
        Exchange(request: request, responder: self, isRefused: request.headers[.userAgent] == "refuse")
    }

    func refuse(_ code: ErrorCode) -> Response { Response(.badRequest, code.rawValue) }
}

extension Response {
    init(_ status: HTTPResponse.Status, _ body: String) {
        self.init(status: status, headers: [:], body: .whole(ByteBuffer(string: body)))
    }
}

/// A connection as the server sets it up, without a network.
final class TestConnection {
    let channel = EmbeddedChannel()
    let responder: TestResponder
    let shared: ServerState
    private let network = Network()

    init(
        _ limits: ServerLimits = ServerLimits(), bodyLimit: Int = 1000, sharing other: TestConnection? = nil,
        isConnected: Bool = true
    ) throws {
        responder = other?.responder ?? TestResponder(bodyLimit: bodyLimit)
        let registry = PrometheusRegistry(HTTPServer.families)
        shared =
            other?.shared
            ?? ServerState(
                responder, limits, Incidents(registry, logger: Logger(label: "") { _ in SwiftLogNoOpLogHandler() }))
        let connection = Connection(channel)
        let admission = shared.connections.add(connection)
        try channel.pipeline.syncOperations.addHandler(network)
        try channel.pipeline.syncOperations.addHTTPHandlers(shared, connection, admission)
        guard isConnected else { return }
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        channel.read()
    }

    var asked: [(request: Request, body: String, reply: @Sendable (Response) -> Void)] {
        responder.asked.withLock { $0 }
    }

    /// Sends bytes as a client, and reads on as a socket does.
    func send(_ text: String) throws {
        guard channel.isActive else { return }
        _ = try channel.writeInbound(ByteBuffer(string: text))
        channel.read()
    }

    /// Answers a request that was handed over.
    func answer(_ number: Int, _ response: Response) {
        let reply = asked[number].reply
        channel.embeddedEventLoop.execute { reply(response) }
        channel.embeddedEventLoop.run()
    }

    /// What the client got since the last time, without the date.
    func received() throws -> String {
        channel.embeddedEventLoop.run()
        var text = ""
        while let part = try channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let buffer) = part { text += String(buffer: buffer) }
        }
        return text.replacing("Date: \(shared.date)\r\n", with: "")
    }

    /// Lets the connection look at the time as it will be.
    func pass(_ time: TimeAmount) {
        channel.pipeline.fireUserInboundEventTriggered(Connections.TimePassed(now: .now() + time))
        channel.embeddedEventLoop.run()
    }

    /// How many connections would be looked at after some time.
    func late(_ time: NIODeadline) -> Int { shared.connections.late(time).count }

    /// Keeps answers on their way until ``deliver()``.
    func slowDown() { network.isSlow = true }

    func deliver() {
        network.isSlow = false
        channel.flush()
        channel.embeddedEventLoop.run()
    }

    /// Whether what the client sends is read.
    var isReading: Bool { network.isReading }

    var isOpen: Bool {
        channel.embeddedEventLoop.run()
        return channel.isActive
    }

    private final class Network: ChannelDuplexHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundIn = IOData
        private(set) var isReading = false
        /// What is written stays on its way.
        var isSlow = false

        /// There is no half of a connection without a network.
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
        }

        func flush(context: ChannelHandlerContext) {
            if !isSlow { context.flush() }
        }

        func read(context: ChannelHandlerContext) {
            isReading = true
            context.read()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            isReading = false
            context.fireChannelRead(data)
        }
    }
}
