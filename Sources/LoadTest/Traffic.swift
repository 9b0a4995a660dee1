/// The sequence of requests: the same seed and the same answers give the same requests.
struct Traffic: Sendable {
    enum Request: Sendable, Equatable {
        case register(Registration)
        case close(contact: Int64)
    }

    /// The most contacts that are remembered for closing. A long run leaves more open, and forgets some.
    private static let rememberedContacts = 65_536

    private let sources: [Int64]
    private let options: Options
    private var leads = 0
    private var number: Int64
    private var open: [Int64] = []
    private var generator: SplitMix64

    /// - Parameters:
    ///   - sources: The ids of the sources, each as likely as another.
    ///   - options: Their shares are probabilities; a contact is closed as long as one is open.
    ///   - firstNumber: The number of the first contact, from which the others count on.
    init(sources: [Int64], _ options: Options, firstNumber: Int64, seed: UInt64) {
        self.sources = sources
        self.options = options
        number = firstNumber
        generator = SplitMix64(state: seed)
    }

    mutating func next() -> Request {
        if !open.isEmpty, happens(options.closeShare) {
            open.swapAt(Int.random(in: open.indices, using: &generator), open.count - 1)
            return .close(contact: open.removeLast())
        }
        let contacts = (0..<options.batch).map { _ in newContact() }
        defer { number += Int64(contacts.count) }
        guard happens(options.keyShare) else { return .register(Registration(number: number, contacts: contacts)) }
        let repetition: Registration.Repetition? =
            happens(options.repeatShare) ? (happens(0.5) ? .atOnce : .afterwards) : nil
        return .register(
            Registration(number: number, contacts: contacts, hasKey: true, repetition: repetition))
    }

    private mutating func newContact() -> Registration.Contact {
        let source = sources[Int.random(in: sources.indices, using: &generator)]
        let isKnown = leads > 0 && happens(options.duplicateShare)
        let lead = isKnown ? Int.random(in: 0..<leads, using: &generator) : leads
        if !isKnown { leads += 1 }
        let priority = options.priorities ? Int.random(in: 0...9, using: &generator) : nil
        return Registration.Contact(source: source, lead: lead, priority: priority)
    }

    private mutating func happens(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &generator) < probability
    }

    /// Remembers a contact that may be closed.
    mutating func registered(_ contact: Int64) {
        guard options.closeShare > 0 else { return }
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
