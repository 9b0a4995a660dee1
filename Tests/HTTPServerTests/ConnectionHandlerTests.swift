import HTTPAPI
import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServer

/// Each state of a connection, and each way out of it.
@Suite struct ConnectionHandlerTests {
    private static let get = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    private static let ok = Response(.ok, "ok")

    private func post(_ body: String, _ headers: String = "") -> String {
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
    }

    // MARK: Requests and answers

    @Test("A request is handed over with its body, and answered; then the next")
    func oneAfterAnother() throws {
        let client = try TestConnection()
        for number in 0..<3 {
            try client.send(post("body \(number)"))
            #expect(client.asked.count == number + 1 && client.asked[number].body == "body \(number)")
            #expect(try client.received() == "")
            client.answer(number, Self.ok)
            #expect(try client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        #expect(client.isOpen && client.isReading)
    }

    @Test("A request may come byte by byte, its body in chunks")
    func byteByByte() throws {
        let client = try TestConnection()
        let request =
            "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n"
        for byte in request.unicodeScalars { try client.send(String(byte)) }
        #expect(client.asked.map(\.body) == ["abcde"])
        client.answer(0, Self.ok)
        #expect(try client.received().hasSuffix("ok"))
    }

    @Test("What is sent ahead is answered in order, and nothing more is read meanwhile")
    func pipelining() throws {
        let client = try TestConnection()
        try client.send(String(repeating: Self.get, count: 50) + post("last"))
        for number in 0..<51 {
            #expect(client.asked.count == number + 1)
            #expect(client.isReading == (number == 50))
            client.answer(number, Response(.ok, "\(number)"))
            #expect(try client.received().hasSuffix("\r\n\r\n\(number)"))
        }
        #expect(client.asked[50].body == "last" && client.isReading)
    }

    @Test("Who sends more ahead than one read brings is cut off")
    func pipelineLimit() throws {
        let client = try TestConnection()
        for _ in 0..<50 { try client.send(String(repeating: Self.get, count: 200)) }
        #expect(!client.isOpen && client.asked.count == 1)
    }

    @Test(
        "The connection stays as long as the client wants it to",
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false), ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: keep-alive\r\n", true),
            ("HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n", false),
        ])
    func keepAlive(_ version: String, _ header: String, _ stays: Bool) throws {
        let client = try TestConnection()
        try client.send("GET / \(version)\r\nHost: x\r\n\(header)\r\n")
        client.answer(0, Self.ok)
        let answer = try client.received()
        #expect(answer.hasPrefix("\(version) 200") && answer.hasSuffix("ok"))
        #expect(answer.contains("Connection: close") == !stays)
        try client.send("GET / \(version)\r\nHost: x\r\n\(header)\r\n")
        #expect(client.asked.count == (stays ? 2 : 1))
    }

    @Test("HEAD gets the length of the answer without it")
    func head() throws {
        let client = try TestConnection()
        try client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.answer(0, Self.ok)
        #expect(try client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        try client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.answer(1, Response(status: .ok, headers: [:], body: .pieces(Numbers(count: 3))))
        #expect(try client.received() == "HTTP/1.1 200 OK\r\n\r\n")
    }

    @Test("Who waits for leave to send a body gets it, and no leave if it would be of no use")
    func expectContinue() throws {
        let client = try TestConnection()
        let expectation = "Expect: 100-continue\r\n"
        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\(expectation)\r\n")
        #expect(try client.received() == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send("ab")
        #expect(client.asked.map(\.body) == ["ab"])
        client.answer(0, Self.ok)
        #expect(try client.received().hasSuffix("ok"))

        try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nUser-Agent: refuse\r\n\(expectation)\r\n")
        #expect(try client.received().hasPrefix("HTTP/1.1 404"))
        try client.send(Self.get)
        #expect(client.asked.count == 2)
    }

    @Test("A refused request's body is thrown away, and the next request is served")
    func refused() throws {
        let client = try TestConnection()
        try client.send(post("abc", "User-Agent: refuse\r\n") + Self.get)
        #expect(try client.received().hasPrefix("HTTP/1.1 404"))
        #expect(client.asked.map(\.body) == ["", ""])
        client.answer(1, Self.ok)
        #expect(try client.received().hasSuffix("ok"))
    }

    // MARK: Long answers

    /// Pieces that are numbers, and how many were made.
    private struct Numbers: Pieces {
        let count: Int
        private var made = 0

        init(count: Int) { self.count = count }

        mutating func next() -> ByteBuffer? {
            guard made < count else { return nil }
            made += 1
            return ByteBuffer(string: "\(made)")
        }
    }

    @Test("An answer in pieces is written no faster than the client reads")
    func pieces() throws {
        let client = try TestConnection()
        try client.send(Self.get)
        client.channel.isWritable = false
        client.answer(0, Response(status: .ok, headers: [:], body: .pieces(Numbers(count: 3))))
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(try client.received() == head + "1\r\n1\r\n")
        client.channel.isWritable = true
        client.channel.pipeline.fireChannelWritabilityChanged()
        #expect(try client.received() == "1\r\n2\r\n1\r\n3\r\n0\r\n\r\n")
        try client.send(Self.get)
        #expect(client.asked.count == 2)
    }

    @Test("For HTTP/1.0 an answer in pieces ends with the connection")
    func piecesWithoutChunks() throws {
        let client = try TestConnection()
        try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        client.answer(0, Response(status: .ok, headers: [:], body: .pieces(Numbers(count: 3))))
        #expect(try client.received() == "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n123")
    }

    @Test("A client that does not read its answer is cut off, one that reads some is not")
    func unread() throws {
        for reads in [false, true] {
            let client = try TestConnection()
            try client.send(Self.get)
            client.channel.isWritable = false
            client.answer(0, Response(.ok, String(repeating: "x", count: 1_000_000)))
            client.pass(.seconds(29))
            #expect(client.isOpen)
            if reads { client.channel.pipeline.fireChannelWritabilityChanged() }
            #expect(client.late(.now() + .seconds(29)) == 0)
            #expect(client.late(.now() + .seconds(31)) == 1)
            client.pass(.seconds(31))
            #expect(!client.isOpen)
        }
    }

    @Test("Of many answers that are not read the oldest goes, unless its client has read some just now")
    func unreadAnswers() throws {
        let first = try TestConnection()
        let clients = [first] + (try (0..<2).map { _ in try TestConnection(sharing: first) })
        for (number, client) in clients.enumerated() {
            try client.send(Self.get)
            client.channel.isWritable = false
            client.answer(number, Response(.ok, String(repeating: "x", count: 1_000_000)))
        }
        let connections = first.shared.connections
        for (limit, time) in [(3, TimeAmount.seconds(40)), (2, .seconds(29))] {
            connections.keepUnread(limit: limit, since: .now() + time)
            #expect(clients.map(\.isOpen) == [true, true, true])
        }
        connections.keepUnread(limit: 2, since: .now() + .seconds(31))
        #expect(clients.map(\.isOpen) == [false, true, true])
        connections.keepUnread(limit: 0, since: .now() + .seconds(29))
        #expect(clients.map(\.isOpen) == [false, false, true])
    }

    // MARK: What is wrong

    @Test("What is no HTTP gets the error's shape, after the answers that are due, and the connection ends")
    func malformed() throws {
        let client = try TestConnection()
        try client.send(Self.get + "nonsense\r\n\r\n" + Self.get)
        #expect(try client.received() == "")
        client.answer(0, Self.ok)
        let answer = try client.received()
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 400 Bad Request"))
        #expect(answer.hasSuffix("Connection: close\r\n\r\nmalformed_request"))
        try client.send(Self.get)
        #expect(try client.received() == "")
        #expect(client.asked.count == 1)
        client.pass(.seconds(3))
        #expect(!client.isOpen)
    }

    @Test("A body that is too large is refused when its length is known, and not read to its end")
    func tooLarge() throws {
        for request in [
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"
                + String(repeating: "x", count: 1001),
        ] {
            let client = try TestConnection()
            try client.send(request)
            #expect(try client.received().hasSuffix("body_too_large"))
            for _ in 0..<20 { try client.send(String(repeating: "x", count: 60_000)) }
            #expect(!client.isReading && client.asked.isEmpty)
            client.pass(.seconds(3))
            #expect(!client.isOpen)
        }
    }

    @Test("A body in too many parts is refused")
    func tooManyParts() throws {
        let client = try TestConnection()
        var body = RequestBody(memory: client.shared.bodyMemory, channel: client.channel)
        let part = ByteBuffer(string: "x")
        for _ in 0..<16_384 { try body.add(part, keeping: true, upTo: 1 << 20) }
        #expect(throws: RequestBody.Refusal.tooManyParts) {
            try body.add(part, keeping: true, upTo: 1 << 20)
        }
    }

    @Test("Headers and targets have a length")
    func headTooLarge() throws {
        let long = String(repeating: "x", count: 70_000)
        for (request, code) in [
            ("GET / HTTP/1.1\r\nHost: x\r\nX: \(long)\r\n\r\n", "headers_too_large"),
            ("GET /\(long)\(long)", "headers_too_large"),
            ("GET / HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: " ", count: 140_000))", "headers_too_large"),
        ] {
            let client = try TestConnection()
            try client.send(request)
            let answer = try client.received()
            #expect(answer.hasSuffix(code), "\(answer)")
        }
    }

    // MARK: Time

    @Test("An idle connection is closed after 75 s, one with half a head after 10 with an answer")
    func idle() throws {
        let idle = try TestConnection()
        idle.pass(.seconds(76))
        #expect(!idle.isOpen)

        let slow = try TestConnection()
        #expect(slow.late(.now() + .seconds(11)) == 0)
        try slow.send("GET / HTTP/1.1\r\n")
        #expect(slow.late(.now() + .seconds(11)) == 1)
        slow.pass(.seconds(11))
        #expect(try slow.received().hasSuffix("request_timeout"))
    }

    @Test("A body has 30 s, and less if it comes too slowly")
    func slowBody() throws {
        for (size, time) in [(900, TimeAmount.seconds(31)), (2, .seconds(6))] {
            var limits = ServerLimits()
            limits.bodyRate = 100
            let client = try TestConnection(limits)
            try client.send(
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: size))
            client.pass(.seconds(4))
            #expect(try client.received() == "")
            client.pass(time)
            #expect(try client.received().hasSuffix("request_timeout"))
        }
    }

    @Test("While a request is answered its client has all the time")
    func answering() throws {
        let client = try TestConnection()
        try client.send(Self.get)
        #expect(client.late(.now() + .hours(10)) == 0)
        client.answer(0, Self.ok)
        #expect(try client.received().hasSuffix("ok"))
    }

    // MARK: The end

    @Test("On shutdown an idle connection is closed at once, another one after its answer")
    func shutdown() throws {
        let (idle, busy) = (try TestConnection(), try TestConnection())
        try busy.send(Self.get + Self.get)
        for client in [idle, busy] {
            client.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        #expect(!idle.isOpen && busy.isOpen)
        busy.answer(0, Self.ok)
        #expect(try busy.received().contains("Connection: close"))
        #expect(busy.asked.count == 1)
        busy.pass(.seconds(3))
        #expect(!busy.isOpen)
    }

    @Test("A client that has closed its side gets its answer, one that broke off none")
    func halfClosed() throws {
        let client = try TestConnection()
        try client.send(Self.get)
        client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(client.isOpen)
        client.answer(0, Self.ok)
        #expect(try client.received().hasSuffix("ok"))
        #expect(!client.isOpen)

        let broken = try TestConnection()
        try broken.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab")
        broken.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!broken.isOpen && broken.asked.isEmpty)
    }

    @Test("Who has sent several requests and closed its side gets all answers, and what was begun none")
    func halfClosedAhead() throws {
        for rest in ["", "GET /half", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab"] {
            let client = try TestConnection()
            try client.send(String(repeating: Self.get, count: 3) + rest)
            client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            for number in 0..<3 {
                #expect(client.asked.count == number + 1)
                client.answer(number, Self.ok)
                #expect(try client.received().hasSuffix("ok"))
            }
            #expect(!client.isOpen && client.asked.count == 3)
        }
    }

    @Test("An answer on its way is not given up: not on shutdown, not for others, not for a client that sends no more")
    func onTheWay() throws {
        let events: [any Sendable] = [ChannelShouldQuiesceEvent(), Connections.Evicted(), ChannelEvent.inputClosed]
        for header in ["", "Connection: close\r\n"] {
            for event in events {
                let client = try TestConnection()
                try client.send("GET / HTTP/1.1\r\nHost: x\r\n\(header)\r\n")
                client.slowDown()
                client.answer(0, Self.ok)
                client.channel.pipeline.fireUserInboundEventTriggered(event)
                #expect(try client.received() == "")
                #expect(client.isOpen)
                client.deliver()
                #expect(try client.received().hasSuffix("ok"))
            }
            let client = try TestConnection()
            try client.send("GET / HTTP/1.1\r\nHost: x\r\n\(header)\r\n")
            client.slowDown()
            client.answer(0, Self.ok)
            client.pass(.seconds(31))
            #expect(!client.isOpen)
        }
    }

    @Test("An answer that comes after its client has gone is for nobody")
    func gone() throws {
        let client = try TestConnection()
        try client.send(Self.get)
        try client.channel.close().wait()
        client.answer(0, Self.ok)
        #expect(!client.isOpen)
        #expect(client.shared.connections.count == 0)
    }

    @Test("A connection that ends before it is active is not counted any more, and was not idle")
    func neverActive() throws {
        var limits = ServerLimits()
        limits.connections = 1
        let client = try TestConnection(limits, isConnected: false)
        let second = try TestConnection(sharing: client)
        #expect(try second.received().hasSuffix("too_many_connections"))
        try? client.channel.close().wait()
        client.channel.embeddedEventLoop.run()
        second.pass(.seconds(3))
        #expect(!second.isOpen && client.shared.connections.count == 0)
    }

    // MARK: Together

    @Test("Over the limit the connection that is idle for longest goes; if all are busy the new one is told so")
    func connectionLimit() throws {
        var limits = ServerLimits()
        limits.connections = 2
        let first = try TestConnection(limits)
        let second = try TestConnection(sharing: first)
        let third = try TestConnection(sharing: first)
        #expect(!first.isOpen && second.isOpen && third.isOpen)
        for client in [second, third] { try client.send(Self.get) }
        let fourth = try TestConnection(sharing: first)
        #expect(try fourth.received().hasSuffix("too_many_connections"))
        second.answer(0, Self.ok)
        #expect(try second.received().hasSuffix("ok"))
    }

    @Test("Bodies that are together too large are read on a few at a time, first come, first served; small ones always")
    func bodyMemory() throws {
        var limits = ServerLimits()
        limits.bodyMemory = 100_000
        let first = try TestConnection(limits, bodyLimit: 1 << 20)
        let clients = [first] + (try (0..<19).map { _ in try TestConnection(sharing: first) })
        let part = String(repeating: "x", count: 60_000)
        for client in clients { try client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + part) }
        // One has come below the limit, 16 more read on, three wait.
        #expect(clients.map(\.isReading) == Array(repeating: true, count: 17) + [false, false, false])
        #expect(first.shared.bodyMemory.used == 1_200_000)

        let small = try TestConnection(sharing: first)
        try small.send(post("small"))
        #expect(small.asked.last?.body == "small")

        // The first of those who wait gives up, one who reads is done: the next one reads on.
        clients[17].pass(.seconds(31))
        #expect(try clients[17].received().hasSuffix("request_timeout"))
        try clients[5].send(String(repeating: "x", count: 10_000))
        #expect(first.asked.last?.body.utf8.count == 70_000)
        #expect(clients[18].isOpen && clients[18].isReading && clients[19].isOpen && !clients[19].isReading)

        for client in clients.dropFirst(6) { try client.channel.close().wait() }
        #expect(clients.map(\.isOpen) == Array(repeating: true, count: 6) + Array(repeating: false, count: 14))
        for client in clients.prefix(5) { try client.send(String(repeating: "x", count: 10_000)) }
        #expect(first.shared.bodyMemory.used == 0 && first.asked.count == 7)
    }

    @Test("Who waits for room can be the one to make it")
    func ownRoom() throws {
        let memory = BodyMemory(limit: 0)
        let client = try TestConnection()
        let others = (0..<16).map { _ in EmbeddedChannel() }
        for channel in others { _ = memory.add(1, for: channel, isWaiting: false) }
        var body = RequestBody(memory: memory, channel: client.channel)
        try body.add(ByteBuffer(repeating: 1, count: 20_000), keeping: true, upTo: 1 << 20)
        #expect(body.isWaiting)
        body.discard()
        #expect(memory.used == 16)
    }
}
