import Foundation
import TestSupport
import Testing

extension System {
    /// What a connection is, as clients find it: what happens on it has tests without a network.
    @Suite("Connections") struct ConnectionTests {
        @Test("An instance serves on a socket in the file system, and takes none from another")
        func unixSocket() async throws {
            try await TestDatabase.with { database in
                let folder = try ScratchDirectory.makeSubdirectory("socket")
                let socket = "\(folder)/s"
                let arguments = ["serve", "--host", "unix:\(socket)", "--database-url", database.serviceURL]
                let instance = try Command(arguments)
                defer { instance.process.signal(SIGKILL) }
                try await eventually("it serves") {
                    instance.standardOutput.contains("Listening on unix:\(socket)\n")
                        || instance.process.exitStatus != nil
                }
                let curl = try ChildProcess(
                    ["curl", "--silent", "--fail", "--unix-socket", socket, "http://crm.example/readyz"], in: folder,
                    streams: .files(in: folder))
                #expect(try await curl.end() == 0)
                #expect(try String(contentsOfFile: "\(folder)/stdout", encoding: .utf8) == #"{"status":"ok"}"#)

                let second = try await Command.run(arguments)
                #expect(second.status == 1)
                #expect(second.standardError.contains("the socket \(socket) is taken"), "\(second)")
                instance.process.signal(SIGTERM)
                #expect(try await instance.process.end() == 0)
            }
        }

        @Test(
            "Over CONNECTION_LIMIT the connection that is idle for longest is closed, and the metrics and the log say so"
        )
        func connectionLimit() async throws {
            try await Deployment.open(environment: ["CONNECTION_LIMIT": "3"]) { crm in
                let url = try #require(URL(string: crm.client.baseURL))
                let port = try #require(url.port)
                let idle = try (0..<3).map { _ in try RawConnection(port: port) }
                #expect(try await crm.client.get("/livez").status == 200)
                #expect(try idle[0].readToEnd() == "")
                let metrics = try await crm.client.get("/metrics").text
                #expect(metrics.contains(#"leads_crm_connection_incidents_total{cause="evicted"} "#))
            }
        }

        @Test("What is no HTTP gets the error's shape and the end of the connection")
        func malformed() async throws {
            try await Deployment.open { crm in
                let port = try #require(URL(string: crm.client.baseURL)?.port)
                for request in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"] {
                    let connection = try RawConnection(port: port)
                    try connection.write(request)
                    let answer = try connection.readToEnd()
                    #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
                    #expect(
                        answer.hasSuffix(
                            "\r\n\r\n"
                                + #"{"detail":"The request is not valid HTTP","code":"malformed_request"}"#))
                }
            }
        }

        @Test("A long list comes in chunks, whole and readable")
        func pieces() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource()
                let message = String(repeating: "я\"", count: 5_000)
                for _ in 0..<40 {
                    let answer = try await crm.client.post(
                        "/api/v1/contacts", ["source_id": JSON(source), "message": .string(message)])
                    #expect(answer.status == 201)
                }
                let list = try await crm.client.get("/api/v1/contacts")
                #expect(list[header: "transfer-encoding"] == "chunked")
                #expect(list.json.elements.map { $0["message"].string } == Array(repeating: message, count: 40))
            }
        }
    }
}

/// A connection to which bytes are written as they are.
private final class RawConnection {
    private let handle: FileHandle

    init(port: Int) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0 else { throw POSIXError(.ECONNREFUSED) }
    }

    func write(_ text: String) throws { try handle.write(contentsOf: Data(text.utf8)) }

    func readToEnd() throws -> String { String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self) }
}
