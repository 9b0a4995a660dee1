import Model
import Testing

@testable import Access

@Suite struct AccessTests {
    @Test("A key has the form that scanners know, and is read as it was made")
    func form() throws {
        var ids: Set<String> = []
        for _ in 0..<200 {
            let key = KeyText.random()
            #expect(key.text.wholeMatch(of: /lcrm_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}/) != nil)
            #expect(KeyText(key.text) == key)
            #expect(key.text.dropFirst(5).hasPrefix(key.id))
            ids.insert(key.id)
        }
        #expect(ids.count == 200)
    }

    @Test("A misspelt key is told by its checksum: any other character, two that changed places, one too few")
    func checksum() throws {
        let text = Array(KeyText.random().text)
        for index in text.indices {
            var other = text
            other[index] = text[index] == "a" ? "b" : "a"
            #expect(KeyText(String(other)) == nil)
            #expect(KeyText(String(text[..<index] + text[(index + 1)...])) == nil)
        }
        for index in text.indices.dropLast() where text[index] != text[index + 1] {
            var other = text
            other.swapAt(index, index + 1)
            #expect(KeyText(String(other)) == nil)
        }
        for other in ["", "lcrm_", String(text) + "0", String(text) + "\u{301}", " " + String(text)] {
            #expect(KeyText(other) == nil)
        }
        // As other programs compute it: zlib.crc32 of the first 46 characters, to the base of 62.
        #expect(KeyText("lcrm_00000000_00000000000000000000000000000000" + Self.knownChecksum) != nil)
    }

    private static let knownChecksum = "2r9QCR"

    @Test("A ring knows its keys by their whole text, until their time is over")
    func ring() {
        let (text, other) = (KeyText.random(), KeyText.random())
        let end = Timestamp(microsecondsSince2000: 1000)
        let key = APIKey(
            id: text.id, name: "n", scopes: [.operate], sources: nil, rateLimit: nil, createdAt: end, expiresAt: end)
        let ring = KeyRing([.init(key, hash: Array(text.hash))])
        #expect(ring.key(for: text, at: Timestamp(microsecondsSince2000: 999)) == key)
        #expect(ring.key(for: text, at: end) == nil)
        #expect(ring.key(for: other, at: Timestamp(microsecondsSince2000: 0)) == nil)
        let changed = KeyRing([.init(key, hash: Array(other.hash))])
        #expect(changed.key(for: text, at: Timestamp(microsecondsSince2000: 0)) == nil)
        #expect(key.allows(.read) && key.allows(.operate))
        #expect(!key.allows(.register) && !key.allows(.admin) && !key.allows(.metrics))
        #expect(Scope.allCases.allSatisfy { Scope.admin.covers($0) })
    }

    @Test("A bucket gives as much at once as it holds, then as much as flows in")
    func bucket() {
        let limiter = RateLimiter<String>()
        let start = ContinuousClock.now
        func take(_ after: Duration, _ caller: String = "a") -> Bool {
            limiter.take(for: caller, rate: 10, burst: 5, now: start + after).isAllowed
        }
        #expect((0..<8).count { _ in take(.zero) } == 5)
        #expect(take(.zero, "b"), "others have theirs")
        #expect(!take(.milliseconds(99)))
        #expect(take(.milliseconds(110)))
        #expect((0..<8).count { _ in take(.seconds(60)) } == 5)
        let quota = limiter.take(for: "a", rate: 0.1, burst: 5, now: start + .seconds(60)).quota
        #expect(quota.limit == 5 && quota.remaining == 0 && quota.wait == 10)
    }

    @Test("However many callers there are, few are remembered, and who has just asked for too much is one of them")
    func bounded() {
        let limiter = RateLimiter<Int>(capacity: 100)
        let start = ContinuousClock.now
        for number in 0..<10_000 {
            _ = limiter.take(for: number, rate: 1, burst: 2, now: start + .milliseconds(number * 100))
        }
        let last = 9999
        _ = limiter.take(for: last, rate: 1, burst: 2, now: start + .milliseconds(last * 100))
        #expect(!limiter.take(for: last, rate: 1, burst: 2, now: start + .milliseconds(last * 100)).isAllowed)
        #expect(limiter.count <= 100)
    }
}
