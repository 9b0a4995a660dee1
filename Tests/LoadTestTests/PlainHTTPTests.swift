import NIOCore
import NIOHTTP1
import NIOPosix
import PlainHTTP
import Synchronization
import Testing

@Suite("A request on a connection of its own", .timeLimit(.minutes(1)))
struct PlainHTTPTests {
    /// Answers what it reads first.
    private final class Server: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        let answer: String
        let closes: Bool
        let connections = Mutex(0)

        init(_ answer: String, closes: Bool) {
            self.answer = answer
            self.closes = closes
        }

        func channelActive(context: ChannelHandlerContext) { connections.withLock { $0 += 1 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            _ = context.channel.setOption(.autoRead, value: false)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            // `close` would have no effect while a process that another test has started holds the socket, too.
            if closes { context.close(mode: .output, promise: nil) }
        }

        /// Sends one request to the server.
        func answer(_ method: HTTPMethod, timeout: TimeAmount, body: ByteBuffer? = nil) async throws -> HTTPAnswer {
            let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { $0.pipeline.addHandler(self) }
                .bind(host: "127.0.0.1", port: 0).get()
            defer { listener.close(promise: nil) }
            let url = try #require(BaseURL("http://127.0.0.1:\(listener.localAddress!.port!)"))
            return try await url.send(method, "/", body: body, timeout: timeout)
        }
    }

    @Test("An answer is taken whole, also one that comes before the body is sent")
    func answer() async throws {
        let server = Server("HTTP/1.1 413 Content Too Large\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno", closes: false)
        let answer = try await server.answer(
            .POST, timeout: .seconds(60), body: ByteBuffer(repeating: 0, count: 1 << 24))
        #expect(answer.status == 413)
        #expect(answer.headers.first(name: "x-a") == "b")
        #expect(String(buffer: answer.body) == "no")
    }

    @Test(
        "No whole answer is an error, and nothing is sent again",
        arguments: [
            ("", true, 60_000), ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno", true, 60_000),
            ("", false, 200), ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno", false, 200),
        ])
    func noAnswer(beginning: String, closes: Bool, milliseconds: Int64) async throws {
        let server = Server(beginning, closes: closes)
        await #expect(throws: (any Error).self) {
            try await server.answer(.POST, timeout: .milliseconds(milliseconds))
        }
        // None where the machine is so busy that the time is over before the server has taken the connection.
        #expect(server.connections.withLock(\.self) <= 1)
    }
}
