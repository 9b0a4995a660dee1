import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Sends requests to one instance.
public struct Client: Sendable {
    public let baseURL: String

    public init(baseURL: String) { self.baseURL = baseURL }

    /// Never retries: a request is sent once, and an answer that does not come is an error.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 512
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// What an instance answered.
    public struct Response: Sendable, CustomStringConvertible {
        public let status: Int
        private let headers: [(name: String, value: String)]
        public let body: [UInt8]

        init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
            self.status = status
            self.headers = headers
            self.body = body
        }

        /// The value of a header field, named in lower case; `nil` without one.
        public subscript(header name: String) -> String? {
            headers.first { $0.name.lowercased() == name }?.value
        }

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
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = HTTPMethod(rawValue: method)
        request.headers = HTTPHeaders(Array(headers))
        if let body { request.body = .bytes(body) }
        let response = try await Self.http.execute(request, timeout: TimeAmount(timeout))
        let answer = try await response.body.collect(upTo: 64 << 20)
        return Response(
            status: Int(response.status.code), headers: response.headers.map { $0 },
            body: Array(answer.readableBytesView))
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
    public func patch(_ path: String, _ json: JSON) async throws -> Response {
        try await send("PATCH", path, json: json)
    }
}
