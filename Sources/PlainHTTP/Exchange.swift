public import NIOCore
public import NIOHTTP1
import NIOPosix

/// A server's answer.
public struct HTTPAnswer: Sendable {
    public let status: Int
    public let headers: HTTPHeaders
    public let body: ByteBuffer
}

/// The error that no whole answer came in time.
public struct NoAnswer: Error, CustomStringConvertible {
    public let description: String
}

extension BaseURL {
    /// Sends a request on a connection of its own, once.
    ///
    /// - Parameters:
    ///   - path: The path with the query, percent-encoded.
    ///   - headers: The fields to send; nothing is added but what HTTP itself demands, and the key.
    /// - Throws: ``NoAnswer``, or SwiftNIO's error for the connection.
    public func send(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: ByteBuffer? = nil,
        timeout: TimeAmount = .seconds(60)
    ) async throws -> HTTPAnswer {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: self.path + path, headers: headers)
        if !head.headers.contains(name: "host") { head.headers.add(name: "host", value: authority) }
        if let authorization { head.headers.add(name: "authorization", value: authorization) }
        if let size = body?.readableBytes ?? ([.POST, .PUT, .PATCH].contains(method) ? 0 : nil) {
            head.headers.add(name: "content-length", value: String(size))
        }
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(timeout)
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        let channel = connection.channel
        let alarm = channel.eventLoop.scheduleTask(in: timeout) {
            let reason = "no answer in \(Double(timeout.nanoseconds) / 1e9) s"
            channel.pipeline.fireErrorCaught(NoAnswer(description: reason))
        }
        defer { alarm.cancel() }
        return try await connection.executeThenClose { [head] answer, _ in
            // Nothing waits until it is sent: a server may answer, and read no further, before it has all.
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
            return try await Self.collect(answer)
        }
    }

    private static func collect(
        _ parts: NIOAsyncChannelInboundStream<HTTPClientResponsePart>
    ) async throws -> HTTPAnswer {
        var head: HTTPResponseHead?
        var body = ByteBuffer()
        for try await part in parts {
            switch part {
            case .head(let new): head = new
            case .body(var new): body.writeBuffer(&new)
            case .end:
                guard let head else { continue }
                return HTTPAnswer(status: Int(head.status.code), headers: head.headers, body: body)
            }
        }
        throw NoAnswer(description: "connection closed")
    }
}
