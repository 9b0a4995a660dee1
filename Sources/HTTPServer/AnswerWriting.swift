import HTTPAPI
import HTTPTypes
import NIOCore
import NIOHTTP1

/// What is left to write of an answer's body.
enum AnswerBody {
    case empty
    /// Cut into pieces, so that it is seen whether the client reads.
    case buffer(ByteBuffer)
    case pieces(any Pieces)

    private static let pieceSize = 64 << 10

    /// How long the next piece is, at most, if that is known; in bytes.
    var count: Int { if case .buffer(let buffer) = self { min(buffer.readableBytes, Self.pieceSize) } else { 0 } }

    var isEmpty: Bool { if case .empty = self { true } else { false } }

    /// Whether it takes so much memory that few may be kept for clients that do not read.
    var isLong: Bool {
        switch self {
        case .empty: false
        case .buffer(let buffer): buffer.readableBytes > 4 * Self.pieceSize
        case .pieces: true
        }
    }

    mutating func next() -> ByteBuffer? {
        switch self {
        case .empty: return nil
        case .buffer(var buffer):
            let piece = buffer.readSlice(length: count)
            self = buffer.readableBytes == 0 ? .empty : .buffer(buffer)
            return piece
        case .pieces(var pieces):
            let piece = pieces.next()
            self = piece == nil ? .empty : .pieces(pieces)
            return piece
        }
    }
}

extension ConnectionHandler {
    /// Begins to write an answer.
    func write(_ response: Response, context: ChannelHandlerContext) {
        // The client may have gone meanwhile.
        guard case .answering(let request) = state else { return }
        isChunked = false
        var length: Int?
        switch response.body {
        case .whole(let body):
            // RFC 9110, section 8.6: 204 has none.
            length = response.status == .noContent ? nil : body.readableBytes
            rest = .buffer(body)
        case .pieces(let pieces):
            rest = .pieces(pieces)
            // What has neither a length nor chunks ends with the connection.
            if request?.version == .http1_0 { endsAfterAnswer = true } else { isChunked = request?.isHead != true }
        }
        if request?.isHead == true { rest = .empty }
        let head = AnswerHead(
            response: response, version: request?.version ?? .http1_1, date: shared.date, length: length,
            isChunked: isChunked, endsConnection: isLastAnswer)
        state = .writing
        writeRest(after: head, context: context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // The client has read some.
        if case .writing = state, context.channel.isWritable, !isWriting, rest != nil { writeRest(context: context) }
        context.fireChannelWritabilityChanged()
    }

    /// Writes as much of the answer as there is room for.
    private func writeRest(after head: AnswerHead? = nil, context: ChannelHandlerContext) {
        // To write tells at once that there is room again.
        isWriting = true
        var buffer = context.channel.allocator.buffer(capacity: 512 + (rest?.count ?? 0))
        head?.write(to: &buffer)
        repeat {
            let piece = rest?.next()
            if let piece, piece.readableBytes > 0 {
                if isChunked { buffer.writeString("\(String(piece.readableBytes, radix: 16))\r\n") }
                buffer.writeImmutableBuffer(piece)
                if isChunked { buffer.writeString("\r\n") }
            }
            if piece == nil || rest?.isEmpty == true {
                if isChunked { buffer.writeString("0\r\n\r\n") }
                isWriting = false
                return writeLast(buffer, context: context)
            }
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
            buffer.clear()
        } while context.channel.isWritable
        isWriting = false
        let limits = shared.limits
        guard rest?.isLong == true else { return connection.expect(by: .now() + limits.unread) }
        connection.expect(by: .now() + limits.unread, .unread)
        shared.connections.keepUnread(
            limit: limits.unreadAnswers, since: .now() + limits.unread - .milliseconds(200))
    }

    /// Writes the end of an answer, which is complete when the system has taken all of it.
    private func writeLast(_ buffer: ByteBuffer, context: ChannelHandlerContext) {
        rest = nil
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
        // Mostly the system has taken it by now, and a promise costs much of what an answer does.
        if (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) == 0, context.channel.isActive {
            return completeAnswer(context: context)
        }
        connection.expect(by: .now() + shared.limits.unread)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenSuccess { self.completeAnswer(context: context) }
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: written)
    }
}

/// The beginning of an answer, as it is sent.
struct AnswerHead {
    let response: Response
    let version: HTTPVersion
    let date: String
    /// In bytes; `nil`: not known, and not told.
    let length: Int?
    let isChunked: Bool
    let endsConnection: Bool

    func write(to buffer: inout ByteBuffer) {
        buffer.writeStaticString(version == .http1_0 ? "HTTP/1.0 " : "HTTP/1.1 ")
        buffer.writeString(String(response.status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(response.status.reasonPhrase)
        for field in response.headers.fields { write(field.name, field.value, to: &buffer) }
        write("Date", date, to: &buffer)
        if let length { write("Content-Length", String(length), to: &buffer) }
        if isChunked { write("Transfer-Encoding", "chunked", to: &buffer) }
        if endsConnection {
            write("Connection", "close", to: &buffer)
        } else if version == .http1_0 {
            write("Connection", "keep-alive", to: &buffer)
        }
        buffer.writeStaticString("\r\n\r\n")
    }

    private func write(_ name: String, _ value: String, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\r\n")
        buffer.writeString(name)
        buffer.writeStaticString(": ")
        buffer.writeString(value)
    }
}
