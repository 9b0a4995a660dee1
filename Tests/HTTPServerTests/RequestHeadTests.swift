import HTTPTypes
import NIOCore
import Testing

@testable import HTTPServer

/// Requests that a proxy and a server could understand in two ways (request smuggling), and others that are none.
@Suite struct RequestHeadTests {
    private static let host = "Host: x\r\n"

    @Test(
        "What can be understood in more than one way is refused, and nothing after it is taken for a request",
        arguments: [
            // Two lengths, or a length and chunks.
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5, 5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\n\(host)Content-Length: +5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\n\(host)Content-Length: -5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 0x5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5 5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\n\(host)Content-Length: \r\n\r\nabcde",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 99999999999999999999\r\n\r\nabcde",
            // Codings that only one of two understands.
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\u{0B}chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            // Chunks.
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n",
            // Hosts.
            "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: user@x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
        ])
    func ambiguous(_ request: String) throws { try expectRefusal(of: request) }

    @Test(
        "What is no HTTP/1 is refused",
        arguments: [
            "\r\n\r\nx", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / \r\n\r\n",
            "GET / HTTP/2.0\r\n\(host)\r\n", "GET / HTTP/0.9\r\n\(host)\r\n", "GET / HTTP/1.10\r\n\(host)\r\n",
            "GET / HTTP/11\r\n\(host)\r\n", "GET / http/1.1\r\n\(host)\r\n", "GET / HTTP/1.1 x\r\n\(host)\r\n",
            "GET x HTTP/1.1\r\n\(host)\r\n", "GET ftp://x/ HTTP/1.1\r\n\(host)\r\n",
            "GET /\u{7F} HTTP/1.1\r\n\(host)\r\n",
            "GET /a#b HTTP/1.1\r\n\(host)\r\n", "GET /a\\b HTTP/1.1\r\n\(host)\r\n", "GET /a b HTTP/1.1\r\n\(host)\r\n",
            "GET / HTTP/1.1\r\n\(host)X\r\n\r\n", "GET / HTTP/1.1\r\n\(host): x\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X Y: z\r\n\r\n", "GET / HTTP/1.1\r\n\(host)X\u{0}: z\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: a\u{0}b\r\n\r\n", "GET / HTTP/1.1\r\n\(host)X: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)(X): y\r\n\r\n", "GET / HTTP/1.1\r\n X: y\r\n\(host)\r\n",
            "G\u{1}T / HTTP/1.1\r\n\(host)\r\n", "get / HTTP/1.1\r\n\(host)\r\n",
            "FROBNICATE / HTTP/1.1\r\n\(host)\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "{\"json\": true}\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
        ])
    func malformed(_ request: String) throws { try expectRefusal(of: request) }

    private func expectRefusal(of request: String) throws {
        let client = try TestConnection()
        try client.send(request + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = try client.received()
        #expect(
            answer.hasPrefix("HTTP/1.1 400") && answer.hasSuffix("malformed_request"), "\(request.debugDescription)")
        #expect(client.asked.isEmpty, "\(request.debugDescription)")
    }

    @Test("What looks odd and is right is served")
    func unusual() throws {
        for request in [
            "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nhOsT:x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\t x \r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /\(String(repeating: "x", count: 8000)) HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0000\r\n\r\n",
        ] {
            let client = try TestConnection()
            try client.send(request)
            #expect(client.asked.count == 1, "\(request.debugDescription)")
        }
    }
}
