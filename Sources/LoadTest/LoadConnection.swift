import NIOCore
import NIOHTTP1
import PlainHTTP

/// A connection that has one request under way at most. It belongs to its event loop.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// A request that is not answered yet.
    struct Pending {
        let request: Traffic.Request
        /// Whether another request with the same key was answered before it was sent.
        let mustReplay: Bool
        /// When it was due: its latency counts from there.
        let due: NIODeadline
        let sent: NIODeadline
    }

    let url: BaseURL
    private let worker: Worker
    private var context: ChannelHandlerContext?
    private(set) var pending: Pending?
    private(set) var hasAnswered = false
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()
    private var failure: String?

    init(_ url: BaseURL, worker: Worker) {
        self.url = url
        self.worker = worker
    }

    /// - Precondition: The connection is open.
    func send(_ request: Pending, _ message: Message) {
        pending = request
        let content = ByteBuffer(string: message.body)
        var head = HTTPRequestHead(
            version: .http1_1, method: message.method, uri: url.path + message.path,
            headers: [
                "host": url.authority, "content-type": "application/json",
                "content-length": String(content.readableBytes),
            ])
        if let authorization = url.authorization { head.headers.add(name: "authorization", value: authorization) }
        if let key = message.key { head.headers.add(name: "idempotency-key", value: key) }
        let context = context!
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(content))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Closes the connection; the request under way, if any, stays without an answer.
    func close(because reason: String? = nil) {
        failure = reason
        context?.close(promise: nil)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        worker.hasOpened(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part):
            if body.readableBytes == 0 { body = part } else { body.writeBuffer(&part) }
        case .end:
            // An answer like 102 is not the last.
            guard let head, head.status.code >= 200, let pending else { return }
            self.pending = nil
            hasAnswered = true
            worker.answered(
                pending, status: Int(head.status.code),
                isReplay: head.headers.first(name: "idempotency-replayed") == "true", body)
            if head.isKeepAlive { worker.isReady(self) } else { context.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? errorKind(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let unanswered = pending
        pending = nil
        worker.hasClosed(self, unanswered: unanswered, because: failure)
    }
}
