public import HTTPTypes
public import NIOCore

/// An answer.
public struct Response: Sendable {
    public var status: HTTPResponse.Status
    public var headers: HeaderFields
    public var body: Body

    public enum Body: Sendable {
        case whole(ByteBuffer)
        /// Made piece by piece, no faster than the client reads.
        case pieces(any Pieces)
    }

    init(status: HTTPResponse.Status, headers: HeaderFields = [:], body: ByteBuffer = ByteBuffer()) {
        self.init(status: status, headers: headers, body: .whole(body))
    }

    public init(status: HTTPResponse.Status, headers: HeaderFields, body: Body) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A long body that comes into being while it is sent.
public protocol Pieces: Sendable {
    /// The next piece, some tens of kilobytes; `nil` at the end.
    mutating func next() -> ByteBuffer?
}

extension Response {
    static func json(_ value: some JSONEncodable, status: HTTPResponse.Status = .ok) -> Response {
        var json = JSONWriter()
        // As much as a contact takes, so that it need not grow.
        json.bytes.reserveCapacity(1024)
        value.write(to: &json)
        return .json(json, status: status)
    }

    static func json(_ json: JSONWriter, status: HTTPResponse.Status = .ok) -> Response {
        .json(.whole(ByteBuffer(bytes: json.bytes)), status: status)
    }

    static func json(_ body: Body, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: body)
    }
}

extension Response {
    /// A page for a browser, with what it may load and run, so that no text of the API's can make it do more, and no frame
    /// can hold it.
    ///
    /// - Parameter directives: What it may load and run besides the service's own files (Content Security Policy).
    static func html(_ page: ByteBuffer, allowing directives: [String] = []) -> Response {
        let policy =
            ["default-src 'self'", "img-src 'self' data:"] + directives + ["base-uri 'none'", "frame-ancestors 'none'"]
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/html; charset=utf-8", .contentSecurityPolicy: policy.joined(separator: "; "),
            ],
            body: page)
    }
}

extension ByteBuffer {
    /// A page in the look of all of ours.
    ///
    /// - Parameter head: What it loads besides, as HTML, with an end of line.
    init(pageTitled title: String, head: String = "", body: String) {
        self.init(
            string: """
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <link rel="icon" href="data:,">
                <title>Leads CRM - \(title)</title>
                <link rel="stylesheet" href="/docs/assets/page.css">
                \(head)</head>
                <body>
                \(body)
                </body>
                </html>

                """)
    }
}
