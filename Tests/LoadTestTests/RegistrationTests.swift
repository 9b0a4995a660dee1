import NIOCore
import Testing

@testable import LoadTest

extension Options {
    /// Options of which only some matter.
    static func made(_ change: (inout Options) -> Void) -> Options {
        var options = Options(
            urls: [], connections: 1, rate: nil, duration: 1, warmup: 0, sources: 1, operators: 1, maxLoad: 1,
            closeShare: 0, duplicateShare: 0, keyShare: 0, repeatShare: 0, batch: 1, priorities: false,
            strategy: .weightedRandom, seed: 1)
        change(&options)
        return options
    }
}

@Suite("A registration and its answer")
struct RegistrationTests {
    private static let contact = Registration.Contact(source: 5, lead: 3, priority: nil)
    private let one = Registration(number: 40, contacts: [contact])
    private let batch = Registration(number: 40, contacts: [contact, contact, contact])

    @Test("One contact is sent by itself, more as a batch, with their numbers, a priority and a key")
    func message() {
        let one = Traffic.Request.register(one).message(prefix: "+7")
        #expect(one.path == "/api/v1/contacts" && one.key == nil)
        #expect(
            one.body == """
                {"source_id":5,"lead_phone":"+73","lead_name":"Петр Петров","message":"Хочу узнать о продукте 40"}
                """)
        let contacts = [Self.contact, Registration.Contact(source: 6, lead: 4, priority: 9)]
        let many = Traffic.Request.register(Registration(number: 40, contacts: contacts, hasKey: true))
            .message(prefix: "+7")
        #expect(many.path == "/api/v1/contacts/batch" && many.key == "+7-40")
        #expect(many.body.hasPrefix(#"{"contacts":[{"source_id":5,"#))
        #expect(many.body.hasSuffix(#""message":"Хочу узнать о продукте 41","priority":9}]}"#))
        #expect(Registration.number(in: "Хочу узнать о продукте 41") == 41)
        #expect(Registration.number(in: "Хочу узнать о продукте") == nil && Registration.number(in: nil) == nil)
    }

    @Test(
        "What an answer to one says",
        arguments: [
            (201, #"{"id":17}"#, [17], 0), (201, "{}", [], 0), (404, "{}", [], 0), (409, "{}", [], 1),
            (503, "{}", [], 1),
        ])
    func one(status: Int, body: String, ids: [Int64], unknown: Int) {
        let receipt = Receipt(one, answered: status, ByteBuffer(string: body))
        #expect(receipt.ids == ids && receipt.unknown == unknown && receipt.isOrdered)
    }

    /// - Parameter numbers: Of the contacts; `nil` for one that failed.
    private func receipt(registered: Int, failed: Int, _ numbers: [Int?]) -> Receipt {
        let results = numbers.enumerated().map { index, number in
            number.map { #"{"status":201,"contact":{"id":\#(index + 1),"status":"active","message":"m \#($0)"}}"# }
                ?? #"{"status":503,"error":{}}"#
        }
        let body =
            #"{"registered":\#(registered),"failed":\#(failed),"results":[\#(results.joined(separator: ","))]}"#
        return Receipt(batch, answered: 200, ByteBuffer(string: body))
    }

    @Test("What an answer to a batch says: one result for each, in their order, and sums that are right")
    func batchAnswer() {
        let whole = receipt(registered: 3, failed: 0, [40, 41, 42])
        #expect(whole.ids == [1, 2, 3] && whole.unknown == 0 && whole.isOrdered)
        let part = receipt(registered: 2, failed: 1, [40, nil, 42])
        #expect(part.ids == [1, 3] && part.unknown == 1 && part.isOrdered)
        #expect(!receipt(registered: 3, failed: 0, [40, 42, 41]).isOrdered)
        #expect(!receipt(registered: 2, failed: 0, [40, 41]).isOrdered)
        #expect(!receipt(registered: 2, failed: 1, [40, 41, 42]).isOrdered)
        #expect(!receipt(registered: 3, failed: 0, [40, nil, 42]).isOrdered)
        #expect(!receipt(registered: 3, failed: 1, [40, 41, 42]).isOrdered)
        #expect(!Receipt(batch, answered: 200, ByteBuffer(string: "{}")).isOrdered)
        #expect(Receipt(batch, answered: 503, ByteBuffer()).unknown == 3)
    }
}

@Suite("Keys that are repeated")
struct KeyBookTests {
    private let answer = ByteBuffer(string: "first")
    private var book = KeyBook()

    private func registration(_ repetition: Registration.Repetition?, contacts: Int = 1) -> Registration {
        let contact = Registration.Contact(source: 5, lead: 3, priority: nil)
        return Registration(
            number: 40, contacts: Array(repeating: contact, count: contacts), hasKey: true, repetition: repetition)
    }

    /// What is counted when two requests of a key go on at once.
    private func atOnce(
        _ first: (body: String, isReplay: Bool), _ second: (body: String, isReplay: Bool), contacts: Int = 1
    ) -> KeyCounts {
        var book = KeyBook()
        let registration = registration(.atOnce, contacts: contacts)
        let mustReplay = book.send(registration)
        #expect(book.next() == registration)
        let mustReplayAgain = book.send(registration)
        #expect(!mustReplay && !mustReplayAgain)
        for (index, given) in [first, second].enumerated() {
            let isFirst = book.answer(
                registration, ByteBuffer(string: given.body), isReplay: given.isReplay, mustReplay: false)
            #expect(isFirst == (index == 0))
        }
        #expect(book.close() == 0 && !book.isDue)
        return book.counts
    }

    @Test("Of two at once one is first, whichever is answered first; the other is its replay, byte for byte")
    func atOnce() {
        let right = KeyCounts(settled: 1, repetitions: 1)
        #expect(atOnce(("a", false), ("a", true)) == right)
        #expect(atOnce(("a", true), ("a", false)) == right)
        #expect(atOnce(("a", false), ("b", true)) == KeyCounts(settled: 1, repetitions: 1, differing: 1))
        #expect(atOnce(("a", false), ("a", false)) == KeyCounts(settled: 1, repetitions: 1, mismarked: 1))
        // Each may have registered some of the contacts.
        #expect(atOnce(("a", false), ("a", false), contacts: 2) == right)
    }

    @Test("A repetition after the answer must be a replay", arguments: [1, 2])
    mutating func afterwards(contacts: Int) {
        for (isReplay, mismarked) in [(true, 0), (false, 1)] {
            book = KeyBook()
            let registration = registration(.afterwards, contacts: contacts)
            _ = book.send(registration)
            #expect(!book.isDue)
            _ = book.answer(registration, answer, isReplay: false, mustReplay: false)
            #expect(book.next() == registration)
            let mustReplay = book.send(registration)
            #expect(mustReplay)
            _ = book.answer(registration, answer, isReplay: isReplay, mustReplay: mustReplay)
            #expect(book.counts == KeyCounts(settled: 1, repetitions: 1, mismarked: mismarked))
            #expect(!book.isDue)
        }
    }

    @Test("What was sent once is no replay; of unknown outcome it is sent until it is settled, and may be one")
    mutating func lost() {
        let registration = registration(nil)
        _ = book.send(registration)
        _ = book.answer(registration, answer, isReplay: true, mustReplay: false)
        #expect(book.counts == KeyCounts(settled: 1, mismarked: 1))

        book = KeyBook()
        for _ in 1...2 {
            _ = book.send(registration)
            book.lose(registration)
            #expect(book.next() == registration)
        }
        var unsettled = book
        #expect(unsettled.close() == 1)
        #expect(unsettled.counts == KeyCounts(lost: 2, unsettled: 1))
        _ = book.send(registration)
        let isFirst = book.answer(registration, answer, isReplay: true, mustReplay: false)
        #expect(book.close() == 0)
        #expect(isFirst && book.counts == KeyCounts(settled: 1, lost: 2))
    }

    @Test("A refusal leaves the key free; where the key has an answer it is another answer")
    mutating func refused() {
        let registration = registration(.atOnce)
        _ = book.send(registration)
        _ = book.next().map { book.send($0) }
        _ = book.answer(registration, nil, isReplay: false, mustReplay: false)
        _ = book.answer(registration, answer, isReplay: false, mustReplay: false)
        #expect(book.counts == KeyCounts(settled: 1))

        book = KeyBook()
        _ = book.send(registration)
        _ = book.next().map { book.send($0) }
        _ = book.answer(registration, answer, isReplay: false, mustReplay: false)
        _ = book.answer(registration, nil, isReplay: false, mustReplay: false)
        #expect(book.counts == KeyCounts(settled: 1, repetitions: 1, differing: 1))
    }
}
