public import HTTPAPI
public import NIOCore

/// What answers the requests of all connections.
public protocol Responder: Sendable {
    /// Takes a request whose head has come.
    func receive(_ request: Request) -> any RequestExchange

    /// The answer to what is no request.
    func refuse(_ code: ErrorCode) -> Response
}

/// A request from its head to its answer.
public protocol RequestExchange: Sendable {
    /// The largest body that is read, in bytes.
    var bodyLimit: Int { get }

    /// Whether the body changes nothing of the answer.
    var isRefused: Bool { get }

    /// Answers it.
    ///
    /// - Parameter reply: Called once, on the event loop.
    func answer(body: ByteBuffer, on eventLoop: any EventLoop, reply: @escaping @Sendable (Response) -> Void)

    /// The answer to a request that does not come to its end.
    func refuse(_ code: ErrorCode) -> Response
}

extension HTTPAPI: Responder {
    public func receive(_ request: Request) -> any RequestExchange { open(request) }
}

extension Exchange: RequestExchange {}
