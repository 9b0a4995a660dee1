import PlainHTTP
import Testing

@testable import LoadTest

@Suite("Statistics")
struct StatisticsTests {
    @Test(
        "The chi-square tail is the one of scipy.stats.chi2.sf",
        arguments: [
            (3.841458820694124, 1, 0.05), (0.5, 1, 0.47950012218695337), (9.21034037197618, 2, 0.01),
            (50, 19, 0.0001310611647931629), (19, 19, 0.45683612559196224), (2_000, 2_000, 0.4957947558197845),
            (2_400, 1_999, 1.1727064370086436e-09), (1_500, 3, 0), (0, 3, 1),
        ])
    func tail(statistic: Double, degreesOfFreedom: Int, expected: Double) {
        let tail = ChiSquare.tail(statistic, degreesOfFreedom: degreesOfFreedom)
        #expect(abs(tail - expected) <= 1e-9 * expected + 1e-300)
    }

    @Test("Counts as the weights have them are probable, others are not, and few say nothing")
    func probability() {
        #expect(ChiSquare.probability(counts: [1_000, 2_000, 3_000], weights: [1, 2, 3]) == 1)
        #expect(ChiSquare.probability(counts: [1_050, 1_980, 2_970], weights: [1, 2, 3])! > 0.05)
        #expect(ChiSquare.probability(counts: [2_000, 2_000, 2_000], weights: [1, 2, 3])! < 1e-100)
        #expect(ChiSquare.probability(counts: [4, 8, 12], weights: [1, 2, 3]) == nil)
        #expect(ChiSquare.probability(counts: [4_000], weights: [1]) == nil)
    }

    @Test("Times have three significant digits, numbers commas")
    func formatting() {
        #expect(
            [0, 999, 1_000, 12_345, 123_456, 999_999, 1_500_000].map { duration(microseconds: $0) }
                == ["0 µs", "999 µs", "1.00 ms", "12.3 ms", "123 ms", "1000 ms", "1.50 s"])
        #expect([0, 0.5, 12_345, 1.5e-9].map(significant) == ["0", "0.5", "1.23e+04", "1.5e-09"])
        #expect([0, 999, 1_000, -12_345, 1_234_567].map(grouped) == ["0", "999", "1,000", "-12,345", "1,234,567"])
    }
}

@Suite("What is sent when")
struct TrafficTests {
    @Test("An open loop's requests are due at the rate, however late they are taken")
    func schedule() {
        var schedule = Schedule(start: 1_000, rate: 3)
        let times: [UInt64] = [999, 1_000, 333_000_000, 333_400_000]
        let taken = times.map { schedule.take(at: $0) }
        #expect(taken == [nil, 1_000, nil, 333_334_333])
        // After a stall of ten seconds the 30 that were due meanwhile are there at once, each with its own time.
        let late = (0..<100).compactMap { _ in schedule.take(at: 10_000_000_000) }
        #expect(late.count == 28)
        #expect(late.first == 666_667_666)
        #expect(late.last == 9_666_667_666)
        #expect(schedule.next == 10_000_001_000)
        #expect(schedule.untaken(before: 12_000_000_000) == 6)
        #expect(schedule.untaken(before: 500) == 0)
    }

    @Test("The same seed gives the same requests, another seed others")
    func seed() {
        func requests(_ seed: UInt64) -> [Traffic.Request] {
            let options = Options.made {
                $0.closeShare = 0.3
                $0.duplicateShare = 0.3
                $0.keyShare = 0.3
                $0.repeatShare = 0.3
                $0.batch = 2
                $0.priorities = true
            }
            var traffic = Traffic(sources: [1, 2, 3], options, firstNumber: 0, seed: seed)
            return (0..<1_000).map { number in
                let request = traffic.next()
                if case .register = request { traffic.registered(Int64(number)) }
                return request
            }
        }
        #expect(requests(7) == requests(7))
        #expect(requests(7) != requests(8))
    }

    @Test("Closings and returning leads have their shares, and no contact is closed twice")
    func shares() {
        let options = Options.made {
            $0.closeShare = 0.25
            $0.duplicateShare = 0.4
        }
        var traffic = Traffic(sources: [5], options, firstNumber: 0, seed: 1)
        var closed = IdentifierSet()
        var leads = Set<Int>()
        var returning = 0
        for number in 0..<100_000 {
            switch traffic.next() {
            case .close(let contact):
                let isNew = closed.insert(contact)
                #expect(isNew)
            case .register(let registration):
                #expect(registration.contacts.count == 1 && !registration.hasKey)
                #expect(registration.contacts[0].source == 5 && registration.contacts[0].priority == nil)
                if !leads.insert(registration.contacts[0].lead).inserted { returning += 1 }
                traffic.registered(Int64(number))
            }
        }
        #expect(abs(Double(closed.count) / 100_000 - 0.25) < 0.01)
        #expect(abs(Double(returning) / Double(returning + leads.count) - 0.4) < 0.01)
        #expect(leads.max() == leads.count - 1)
    }

    @Test("Keys and repetitions have their shares, each contact of a batch its number and one of ten priorities")
    func registrations() {
        let options = Options.made {
            $0.keyShare = 0.5
            $0.repeatShare = 0.4
            $0.batch = 3
            $0.priorities = true
        }
        var traffic = Traffic(sources: [5], options, firstNumber: 7, seed: 1)
        var counts = (keys: 0, atOnce: 0, afterwards: 0)
        var priorities = Set<Int?>()
        for index in Int64(0)..<10_000 {
            guard case .register(let registration) = traffic.next() else { continue }
            #expect(registration.number == 7 + index * 3 && registration.contacts.count == 3)
            priorities.formUnion(registration.contacts.map(\.priority))
            if registration.hasKey { counts.keys += 1 }
            if registration.repetition == .atOnce { counts.atOnce += 1 }
            if registration.repetition == .afterwards { counts.afterwards += 1 }
        }
        #expect(abs(counts.keys - 5_000) < 200)
        #expect(abs(counts.atOnce - 1_000) < 150 && abs(counts.afterwards - 1_000) < 150)
        #expect(priorities == Set(0...9))
    }

    @Test(
        "An answer's own id is found, not one of the objects inside",
        arguments: [
            (#"{"id":17,"lead":{"id":3}}"#, 17), (#"{"lead":{"id":3,"x":["id",{"id":4}]}, "id" : 17}"#, 17),
            (#"{"name":"\"id\":5","other":"id","id":17}"#, 17), (#"{"lead":{"id":3}}"#, nil),
            (#"{"id":null}"#, nil), (#"{"id":"17"}"#, nil), (#"[{"id":17}]"#, nil), ("", nil), (#"{"id":"#, nil),
            (#"{"id\"#, nil), (#"{"id":99999999999999999999}"#, nil),
            (#"{"id":9223372036854775807}"#, .max),
        ] as [(String, Int64?)])
    func id(document: String, expected: Int64?) {
        let id = Array(document.utf8).withUnsafeBytes { topLevelID(of: $0) }
        #expect(id == expected)
    }

    @Test(
        "A base URL is http with a host",
        arguments: [
            ("http://localhost:8000", "http://localhost:8000"), ("http://a.b/crm/", "http://a.b:80/crm"),
            ("http://[::1]:8000/", "http://[::1]:8000"), ("https://a", nil), ("localhost:8000", nil), ("http://", nil),
            ("http://a?b", nil), ("http://user@a", nil), ("", nil),
            ("http://a:0x50", nil), ("http://a:65536", nil), ("http://a/b c", nil), ("http://::1", nil),
        ] as [(String, String?)])
    func baseURL(text: String, expected: String?) {
        #expect(BaseURL(text)?.description == expected)
    }
}

@Suite("A set of ids")
struct IdentifierSetTests {
    @Test("It holds what a Set holds")
    func insertAndRemove() {
        var generator = SplitMix64(state: 3)
        var ids = IdentifierSet()
        var model = Set<Int64>()
        for _ in 0..<50_000 {
            let id = Int64.random(in: -10_000...30_000, using: &generator)
            if Bool.random(using: &generator) {
                let (isNew, isNewToModel) = (ids.insert(id), model.insert(id).inserted)
                #expect(isNew == isNewToModel)
            } else {
                let (wasThere, wasInModel) = (ids.remove(id), model.remove(id) != nil)
                #expect(wasThere == wasInModel)
            }
        }
        #expect(ids.count == model.count)
        #expect(ids.lowest(.max) == model.sorted())
        #expect(ids.lowest(3) == Array(model.sorted().prefix(3)))
    }

    @Test("A union tells how many ids were in both")
    func union() {
        var some = IdentifierSet()
        var others = IdentifierSet()
        for id in Int64(0)..<10_000 { some.insert(id) }
        for id in Int64(9_990)..<30_000 { others.insert(id) }
        let inBoth = some.formUnion(others)
        #expect(inBoth == 10)
        #expect(some.count == 30_000)
        #expect(some.lowest(.max) == Array(0..<30_000))
    }
}
