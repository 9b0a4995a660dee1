import NIOCore
import NIOHTTP1
import PlainHTTP

/// Sends requests to one instance.
public struct Client: Sendable {
    private let url: BaseURL
    public var baseURL: String { url.description }

    /// - Parameter baseURL: As an instance announces it.
    public init(baseURL: String) { url = BaseURL(baseURL)! }

    /// What an instance answered.
    public struct Response: Sendable, CustomStringConvertible {
        public let status: Int
        fileprivate let headers: HTTPHeaders
        public let body: [UInt8]

        /// The first value of a header field; `nil` without one.
        public subscript(header name: String) -> String? { headers.first(name: name) }

        /// The body, or `absent` if it is no JSON.
        public var json: JSON { (try? JSON(body)) ?? .absent }
        public var text: String { String(decoding: body, as: UTF8.self) }
        public var description: String { "\(status) \(text.prefix(2_000))" }
    }

    /// Sends a request with a body of any bytes.
    ///
    /// - Parameters:
    ///   - method: Any token.
    ///   - path: With the query, percent-encoded.
    ///   - headers: Nothing is added but what HTTP itself demands.
    ///   - body: The bytes, or `nil` for no body.
    /// - Throws: When no whole answer comes within the timeout.
    public func send(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil,
        timeout: Duration = .seconds(60)
    ) async throws -> Response {
        let answer = try await url.send(
            HTTPMethod(rawValue: method), path, headers: HTTPHeaders(Array(headers)),
            body: body.map { ByteBuffer(bytes: $0) }, timeout: TimeAmount(timeout))
        return Response(
            status: answer.status, headers: answer.headers, body: Array(answer.body.readableBytesView))
    }

    /// Sends a request with a JSON body, or with none.
    public func send(_ method: String, _ path: String, json: JSON?) async throws -> Response {
        try await send(
            method, path, headers: json == nil ? [:] : ["content-type": "application/json"],
            body: json.map { try Array($0.data) })
    }

    public func get(_ path: String) async throws -> Response { try await send("GET", path, json: nil) }
    public func post(_ path: String, _ json: JSON) async throws -> Response { try await send("POST", path, json: json) }
    public func put(_ path: String, _ json: JSON) async throws -> Response { try await send("PUT", path, json: json) }
    public func delete(_ path: String) async throws -> Response { try await send("DELETE", path, json: nil) }
    public func patch(_ path: String, _ json: JSON) async throws -> Response {
        try await send("PATCH", path, json: json)
    }
}
