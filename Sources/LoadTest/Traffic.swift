/// The sequence of requests: the same seed and the same answers give the same requests.
struct Traffic: Sendable {
    enum Request: Sendable, Equatable {
        /// A contact of the lead with this number.
        case register(source: Int64, lead: Int)
        case close(contact: Int64)
    }

    /// The most contacts that are remembered for closing. A long run leaves more open, and forgets some.
    private static let rememberedContacts = 65_536

    private let sources: [Int64]
    private let closeShare: Double
    private let duplicateShare: Double
    private var leads = 0
    private var open: [Int64] = []
    private var generator: SplitMix64

    /// - Parameters:
    ///   - sources: The ids of the sources, each as likely as another.
    ///   - closeShare: The probability that a request closes a contact, as long as one is open.
    ///   - duplicateShare: The probability that a registration's lead had a contact before.
    init(sources: [Int64], closeShare: Double, duplicateShare: Double, seed: UInt64) {
        self.sources = sources
        self.closeShare = closeShare
        self.duplicateShare = duplicateShare
        generator = SplitMix64(state: seed)
    }

    mutating func next() -> Request {
        if closeShare > 0, !open.isEmpty, Double.random(in: 0..<1, using: &generator) < closeShare {
            open.swapAt(Int.random(in: open.indices, using: &generator), open.count - 1)
            return .close(contact: open.removeLast())
        }
        let source = sources[Int.random(in: sources.indices, using: &generator)]
        if leads > 0, Double.random(in: 0..<1, using: &generator) < duplicateShare {
            return .register(source: source, lead: Int.random(in: 0..<leads, using: &generator))
        }
        leads += 1
        return .register(source: source, lead: leads - 1)
    }

    /// Remembers a contact that may be closed.
    mutating func registered(_ contact: Int64) {
        guard closeShare > 0 else { return }
        if open.count < Self.rememberedContacts {
            open.append(contact)
        } else {
            open[Int.random(in: open.indices, using: &generator)] = contact
        }
    }
}

/// The generator of Guy L. Steele Jr., Doug Lea, Christine H. Flood, "Fast Splittable Pseudorandom Number Generators",
/// 2014.
struct SplitMix64: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
