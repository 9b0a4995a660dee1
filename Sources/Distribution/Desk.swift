/// What a transaction has seen of operators, shares and waiting contacts, and what it makes of them.
///
/// Pure: the same desk, the same calls and the same seed give the same assignments. It must know every operator
/// who could take a contact of the sources it is asked about; one that it does not know takes none.
public struct Desk: Sendable {
    /// An operator's room for contacts.
    public struct Capacity: Sendable, Equatable {
        public let isActive: Bool
        public let maxLoad: Int32
        public fileprivate(set) var currentLoad: Int32

        public init(isActive: Bool, maxLoad: Int32, currentLoad: Int32) {
            self.isActive = isActive
            self.maxLoad = maxLoad
            self.currentLoad = currentLoad
        }

        public var isAvailable: Bool { isActive && currentLoad < maxLoad }
    }

    /// An operator's weight at a source, at least 1.
    public struct Share: Sendable, Equatable {
        public let operatorID: OperatorID
        public let weight: Int32

        public init(operatorID: OperatorID, weight: Int32) {
            self.operatorID = operatorID
            self.weight = weight
        }
    }

    /// Where a contact stands.
    public struct Placement: Sendable, Equatable {
        public let sourceID: SourceID
        public internal(set) var operatorID: OperatorID?
        public internal(set) var isActive: Bool

        public init(sourceID: SourceID, operatorID: OperatorID?, isActive: Bool) {
            self.sourceID = sourceID
            self.operatorID = operatorID
            self.isActive = isActive
        }

        var isWaiting: Bool { isActive && operatorID == nil }
    }

    public private(set) var capacities: [OperatorID: Capacity]
    private let shares: [SourceID: [Share]]
    private let sourcesOfOperator: [OperatorID: [SourceID]]
    public internal(set) var placements: [ContactID: Placement]
    /// Ids in ascending order. One that was given away or closed since is passed over when it comes to the front.
    private var waiting: [SourceID: ArraySlice<ContactID>]
    private var generator: SplitMix64

    /// - Parameters:
    ///   - shares: For each source the operators who take its contacts.
    ///   - placements: The contacts that will be changed, and all that may be let in.
    ///   - seed: Decides every random choice.
    public init(
        capacities: [OperatorID: Capacity], shares: [SourceID: [Share]], placements: [ContactID: Placement],
        seed: UInt64
    ) {
        self.capacities = capacities
        self.shares = shares
        self.placements = placements
        sourcesOfOperator = shares.reduce(into: [:]) { sources, entry in
            for share in entry.value { sources[share.operatorID, default: []].append(entry.key) }
        }
        waiting = Dictionary(grouping: placements.filter(\.value.isWaiting).keys) { placements[$0]!.sourceID }
            .mapValues { $0.sorted()[...] }
        generator = SplitMix64(seed: seed)
    }

    /// The operators who take a source's contacts.
    public func operators(of source: SourceID) -> [OperatorID] { shares[source]?.map(\.operatorID) ?? [] }

    /// Picks an available operator of the source with probability weight / sum of the available ones' weights.
    private mutating func pick(for source: SourceID) -> OperatorID? {
        guard let shares = shares[source] else { return nil }
        let sum = shares.reduce(Int64(0)) { isAvailable($1.operatorID) ? $0 + Int64($1.weight) : $0 }
        guard sum > 0 else { return nil }
        var ticket = Int64.random(in: 0..<sum, using: &generator)
        for share in shares where isAvailable(share.operatorID) {
            ticket -= Int64(share.weight)
            if ticket < 0 { return share.operatorID }
        }
        return nil
    }

    func isAvailable(_ id: OperatorID) -> Bool { capacities[id]?.isAvailable ?? false }

    /// Gives an active contact to an operator who has room.
    mutating func give(_ contact: ContactID, to operatorID: OperatorID) {
        capacities[operatorID]!.currentLoad += 1
        placements[contact]!.operatorID = operatorID
    }

    /// Gives an active contact to one of its source's available operators, or lets it wait.
    mutating func place(_ contact: ContactID) {
        let source = placements[contact]!.sourceID
        if let operatorID = pick(for: source) { return give(contact, to: operatorID) }
        if let last = waiting[source]?.last, last > contact {
            waiting[source]!.insert(contact, at: waiting[source]!.firstIndex { $0 > contact }!)
        } else {
            waiting[source, default: []].append(contact)
        }
    }

    /// Takes one contact off an operator's load, and lets those in who wait for it.
    mutating func free(_ operatorID: OperatorID) {
        capacities[operatorID]?.currentLoad -= 1
        if isAvailable(operatorID) { admitWaiting(at: sourcesOfOperator[operatorID] ?? []) }
    }

    /// Gives waiting contacts of these sources away, oldest first, as long as somebody has room for them.
    mutating func admitWaiting(at sources: [SourceID]) {
        while true {
            var oldest: (contact: ContactID, source: SourceID)?
            for source in sources {
                while let contact = waiting[source]?.first, placements[contact]?.isWaiting != true {
                    waiting[source]!.removeFirst()
                }
                guard let contact = waiting[source]?.first, oldest.map({ contact < $0.contact }) ?? true,
                    shares[source]?.contains(where: { isAvailable($0.operatorID) }) ?? false
                else { continue }
                oldest = (contact, source)
            }
            guard let oldest, let operatorID = pick(for: oldest.source) else { return }
            waiting[oldest.source]!.removeFirst()
            give(oldest.contact, to: operatorID)
        }
    }

    /// Lets everybody in who waits although there is room: after a change of operators or shares.
    mutating func admitWaiting() { admitWaiting(at: waiting.keys.sorted()) }
}
