import HTTPAPI
import NIOCore
import NIOHTTP1

/// One connection: gathers a request's head and body, has it answered, and writes the answer; then the next.
///
/// Model: one request at a time, in order. While it is answered there is one read at most, so that what a client sends ahead
/// waits in its own machine but for what that read has brought. Each state has a time by which something must have come;
/// then the connection is closed: nobody can hold it, nor its memory.
///
/// | state | ends with | at the latest |
/// |---|---|---|
/// | idle | a head | 75 s; 10 s from its first byte |
/// | receiving | the end of the body | 30 s; sooner if it comes at less than 1 KiB/s |
/// | answering | the answer of the responder | what the responder allows |
/// | writing | the client having read | 30 s after it last read anything |
/// | ending | the client closing its side | 2 s |
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = IOData

    enum State {
        case idle
        case receiving(RequestHead, any RequestExchange)
        /// With the head of the request, unless it is none.
        case answering(RequestHead?)
        case writing
        /// Nothing is written any more, and what comes is thrown away: a connection closed while the client still writes
        /// would be reset, and its answer lost (RFC 9112, section 9.6).
        case ending
    }

    /// What came, and what is wrong with it.
    private enum Input {
        case part(HTTPServerRequestPart)
        case error(ErrorCode)
    }

    let shared: ServerState
    let connection: Connection
    private let admission: Connections.Admission
    var state = State.idle
    var body: RequestBody
    /// What is left to write of an answer; `nil`: nothing, not even its end.
    var rest: AnswerBody?
    var isChunked = false
    /// Whether the connection ends after the answer, whatever has come.
    var endsAfterAnswer = false
    /// Whether no other answer follows.
    var isLastAnswer: Bool { endsAfterAnswer || isInputClosed && inputs.isEmpty }
    var isWriting = false
    private var inputs = CircularBuffer<Input>()
    private var isTakingInputs = false
    private var isInputClosed = false
    /// Whether a head has begun to come.
    private(set) var hasHeadBegun = false
    private var isReadHeld = false
    private var discardedReads = 0

    /// The most parts of requests that are kept while another request is answered; one read brings fewer.
    private static let inputLimit = 8192
    /// The most reads, of 64 KiB each, that are thrown away while a connection ends; the rest the client's machine keeps.
    private static let discardLimit = 16

    init(_ shared: ServerState, _ connection: Connection, _ admission: Connections.Admission) {
        self.shared = shared
        self.connection = connection
        self.admission = admission
        body = RequestBody(memory: shared.bodyMemory, channel: connection.channel)
    }

    // MARK: Coming and going

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { admit(context: context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        admit(context: context)
        context.fireChannelActive()
    }

    private func admit(context: ChannelHandlerContext) {
        switch admission {
        case .open: expectRequest()
        case .refused: refuse(.tooManyConnections, context: context)
        case .closed: context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state = .ending
        rest = nil
        inputs.removeAll()
        context.fireChannelInactive()
    }

    /// Also of a connection that ends before it is active.
    func handlerRemoved(context: ChannelHandlerContext) {
        shared.connections.remove(connection)
        body.discard()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Of a client that has closed its side in the middle of something an event follows.
        if case HTTPParserError.invalidEOFState = error { return }
        guard let code = ErrorCode(decoding: error) else { return context.close(promise: nil) }
        take(.error(code), context: context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as Connections.TimePassed: checkTime(event.now, context: context)
        case is Connections.Evicted: evict(context: context)
        case is BodyMemory.RoomAvailable:
            body.isWaiting = false
            readIfHeld(context: context)
        case is ChannelShouldQuiesceEvent:
            endsAfterAnswer = true
            if case .idle = state { context.close(promise: nil) }
        case ChannelEvent.inputClosed:
            isInputClosed = true
            if !isBusy { context.close(promise: nil) }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        isReadHeld = !mayRead
        if mayRead { context.read() }
    }

    private var mayRead: Bool {
        switch state {
        case .idle: inputs.isEmpty
        case .receiving: !body.isWaiting
        // One read ahead: to stop and go on takes two system calls for each request.
        case .answering, .writing: inputs.isEmpty
        case .ending: discardedReads < Self.discardLimit
        }
    }

    private func readIfHeld(context: ChannelHandlerContext) {
        if isReadHeld { read(context: context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(.part(unwrapInboundIn(data)), context: context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch state {
        // Bytes have come that are no whole head.
        case .idle where !hasHeadBegun && !isInputClosed:
            hasHeadBegun = true
            connection.expect(by: .now() + shared.limits.head)
        case .ending: discardedReads += 1
        case .idle, .receiving, .answering, .writing: break
        }
        context.fireChannelReadComplete()
    }

    private func take(_ input: Input, context: ChannelHandlerContext) {
        if inputs.isEmpty, !isBusy { return process(input, context: context) }
        inputs.append(input)
        if inputs.count > Self.inputLimit { context.close(promise: nil) }
    }

    /// Takes what has come while a request was answered.
    private func takeInputs(context: ChannelHandlerContext) {
        // One that is answered at once would otherwise take the next one by itself, and so on, each deeper.
        guard !isTakingInputs else { return }
        isTakingInputs = true
        while !isBusy, let input = inputs.popFirst() { process(input, context: context) }
        isTakingInputs = false
        // Nothing follows, not even the rest of a request.
        if isInputClosed, !isBusy { return context.close(promise: nil) }
        readIfHeld(context: context)
    }

    /// Whether a request is answered, and no other taken.
    private var isBusy: Bool {
        switch state {
        case .answering, .writing: true
        case .idle, .receiving, .ending: false
        }
    }

    private func process(_ input: Input, context: ChannelHandlerContext) {
        switch (state, input) {
        case (.ending, _): break
        case (_, .error(let code)): refuse(code, context: context)
        case (.idle, .part(.head(let head))): begin(head, context: context)
        case (.receiving(_, let exchange), .part(.body(let part))): gather(part, exchange, context: context)
        case (.receiving(let head, let exchange), .part(.end)): answer(head, exchange, context: context)
        default: preconditionFailure("the decoder delivers head, body and end in order")
        }
    }

    // MARK: A request

    private func expectRequest() {
        hasHeadBegun = false
        connection.expect(by: .now() + shared.limits.idle, .idle)
    }

    private func begin(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        guard let head = RequestHead(head, from: context.remoteAddress?.ipAddress) else {
            return refuse(.malformedRequest, context: context)
        }
        let exchange = shared.responder.receive(head.request)
        state = .receiving(head, exchange)
        endsAfterAnswer = endsAfterAnswer || !head.keepsAlive
        guard head.hasBody else { return }
        if head.length ?? 0 > exchange.bodyLimit { return refuse(.bodyTooLarge, context: context) }
        body.begin(length: head.length)
        connection.expect(by: body.deadline(shared.limits))
        guard head.expectsContinue else { return }
        if exchange.isRefused {
            // Whether the body comes now is the client's choice, so what comes cannot be understood any more.
            endsAfterAnswer = true
            answer(head, exchange, context: context)
        } else {
            let leave = ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(leave)), promise: nil)
        }
    }

    private func gather(
        _ part: ByteBuffer, _ exchange: any RequestExchange, context: ChannelHandlerContext
    ) {
        do throws(RequestBody.Refusal) {
            try body.add(part, keeping: !exchange.isRefused, upTo: exchange.bodyLimit)
        } catch {
            refuse(error.code, context: context)
        }
    }

    private func answer(_ head: RequestHead, _ exchange: any RequestExchange, context: ChannelHandlerContext) {
        state = .answering(head)
        connection.expect(by: nil)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        exchange.answer(body: body.bytes, on: context.eventLoop) { response in
            let (handler, context) = bound.value
            handler.write(response, context: context)
        }
        body.discard()
    }

    /// Answers an error after which what comes from the client cannot be understood.
    func refuse(_ code: ErrorCode, context: ChannelHandlerContext) {
        if let incident = code.incident { shared.incidents.count(incident) }
        let response: Response
        if case .receiving(let head, let exchange) = state {
            response = exchange.refuse(code)
            state = .answering(head)
        } else {
            response = shared.responder.refuse(code)
            state = .answering(nil)
        }
        body.discard()
        endsAfterAnswer = true
        write(response, context: context)
    }

    // MARK: After an answer

    /// Goes on with the next request, or ends.
    func completeAnswer(context: ChannelHandlerContext) {
        if isLastAnswer {
            state = .ending
            connection.expect(by: .now() + shared.limits.ending)
            context.close(mode: isInputClosed ? .all : .output, promise: nil)
        } else {
            state = .idle
            expectRequest()
        }
        takeInputs(context: context)
    }
}
