import Foundation
import TestSupport
import Testing

extension System {
    @Suite("A stopped instance")
    struct Shutdown {
        @Test("SIGTERM in a burst: nothing is stored that was not answered, and the exit status is 0")
        func burst() async throws {
            try await Deployment.open(instances: 2) { crm in
                let source = try await crm.newSource([crm.newOperator(maxLoad: 100_000)])
                let traffic = RegistrationTraffic(crm.instances.map(\.client), source: source)
                try await traffic.flow(width: 40) {
                    try await traffic.advance(by: 200)
                    #expect(try await crm.instances[0].stop() == 0)
                    try await traffic.advance(by: 200)
                }
                #expect(traffic.unanswered(by: 0) > 0, "the instance was stopped in the middle of the burst")
                #expect(traffic.unanswered(by: 1) == 0)
                #expect(traffic.refusals.allSatisfy { $0.answer.status == 503 }, "\(traffic.refusals)")
                try await traffic.expectStored(crm.psql, onlyAcknowledged: true)
            }
        }

        @Test("What waits for the database when SIGTERM comes is still done and answered")
        func waiting() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource([crm.newOperator(maxLoad: 100)])
                let blocker = try Psql(crm.database.url)
                try await blocker.query("BEGIN")
                try await blocker.query("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE")
                let port = try #require(URL(string: crm.client.baseURL)?.port)
                let connections = try (1...20).map { _ in try KeptConnection(to: port) }
                for connection in connections {
                    try connection.send("POST /api/v1/contacts", body: #"{"source_id": \#(source)}"#)
                }
                try await eventually("the instance has read all requests") { try !hasUnreadBytes(port: port) }
                try await eventually("a transaction waits for the lock") {
                    try await crm.psql.number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
                }
                crm.instances[0].command.process.signal(SIGTERM)
                try await eventually("the instance takes no more connections") {
                    (try? KeptConnection(to: port)) == nil
                }
                try await blocker.query("COMMIT")
                for connection in connections {
                    let answer = await connection.answer()
                    #expect(answer.hasPrefix("HTTP/1.1 201 "), "\(answer)")
                }
                #expect(try await crm.instances[0].command.process.end() == 0)
                #expect(try await crm.psql.number("SELECT count(*) FROM contacts") == connections.count)
            }
        }

        @Test("The first Ctrl-C says that it stops, the second one ends it at once, whatever is in flight")
        func twice() async throws {
            try await Deployment.open(environment: ["REQUEST_TIMEOUT": "60", "SHUTDOWN_GRACE": "60"]) { crm in
                let source = try await crm.newSource([crm.newOperator()])
                let blocker = try Psql(crm.database.url)
                try await blocker.query("BEGIN")
                try await blocker.query("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE")
                let connection = try KeptConnection(to: try #require(URL(string: crm.client.baseURL)?.port))
                try connection.send("POST /api/v1/contacts", body: #"{"source_id": \#(source)}"#)
                try await eventually("the request waits for the lock") {
                    try await crm.psql.number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
                }
                let command = crm.instances[0].command
                command.process.signal(SIGINT)
                try await eventually("it says that it stops") {
                    command.standardOutput.contains("Stopping: requests in flight are answered first")
                }
                command.process.signal(SIGINT)
                #expect(try await command.process.end(within: .seconds(10)) == 128 + Int(SIGINT))
            }
        }

        /// Whether the kernel holds bytes for a port that nobody has read yet.
        private func hasUnreadBytes(port: Int) throws -> Bool {
            let connections = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8).split(separator: "\n")
            return connections.dropFirst().contains { line in
                let fields = line.split(separator: " ")
                let isEstablished = fields[3] == "01"
                let unread = fields[4].split(separator: ":")[1]
                return isEstablished && fields[1].hasSuffix(":" + String(format: "%04X", port))
                    && UInt64(unread, radix: 16) != 0
            }
        }

        /// A connection on which the instance has answered a request already: it has been taken from the listening
        /// socket, which one that is only connected may not be.
        private struct KeptConnection {
            private let handle: FileHandle

            /// - Throws: `POSIXError` if nobody takes the connection.
            init(to port: Int) throws {
                let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
                handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = in_port_t(port).bigEndian
                address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
                let result = withUnsafePointer(to: address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
                try handle.write(contentsOf: Data("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                var answer: [UInt8] = []
                while !answer.suffix(15).elementsEqual(#"{"status":"ok"}"#.utf8) {
                    // FileHandle's own ways to read stop the process when the connection is reset.
                    var bytes = [UInt8](repeating: 0, count: 1024)
                    let count = recv(descriptor, &bytes, bytes.count, 0)
                    guard count > 0 else { throw POSIXError(.ECONNRESET) }
                    answer += bytes.prefix(count)
                }
            }

            /// Sends a last request.
            func send(_ target: String, body: String) throws {
                let lines = [
                    "\(target) HTTP/1.1", "Host: localhost", "Content-Type: application/json",
                    "Content-Length: \(body.utf8.count)", "Connection: close", "", body,
                ]
                try handle.write(contentsOf: Data(lines.joined(separator: "\r\n").utf8))
            }

            /// All that comes back until the connection is closed.
            func answer() async -> String {
                await withCheckedContinuation { continuation in
                    DispatchQueue.global().async {
                        let data = (try? handle.readToEnd()) ?? Data()
                        continuation.resume(returning: String(decoding: data, as: UTF8.self))
                    }
                }
            }
        }
    }
}
