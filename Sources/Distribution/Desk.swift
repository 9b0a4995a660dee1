import Model

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
    public let shares: [SourceID: [Share]]
    private let sourcesOfOperator: [OperatorID: [SourceID]]
    public internal(set) var placements: [ContactID: Placement]
    /// Ids in ascending order. One that was given away or closed since is passed over when it comes to the front.
    private var waiting: [SourceID: ArraySlice<ContactID>]
    /// The last contact of which it is known that all who wait before it are known; `nil`: all are.
    private let horizon: ContactID?
    /// The sources at which somebody waits, or may wait, behind the horizon.
    private var unread: Set<SourceID> = []
    /// The operators who may be owed to somebody behind the horizon: nobody new gets them.
    private var owed: Set<OperatorID> = []
    private var generator: SplitMix64

    /// - Parameters:
    ///   - shares: For each source the operators who take its contacts.
    ///   - placements: The contacts that will be changed, and those that may be let in, the oldest of each source.
    ///   - unread: The sources at which more contacts wait than `placements` has, each with the last one that it has.
    ///   - seed: Decides every random choice.
    public init(
        capacities: [OperatorID: Capacity], shares: [SourceID: [Share]], placements: [ContactID: Placement],
        unread: [SourceID: ContactID] = [:], seed: UInt64
    ) {
        self.capacities = capacities
        self.shares = shares
        self.placements = placements
        sourcesOfOperator = shares.reduce(into: [:]) { sources, entry in
            for share in entry.value { sources[share.operatorID, default: []].append(entry.key) }
        }
        let waiting = Dictionary(grouping: placements.filter(\.value.isWaiting).keys) { placements[$0]!.sourceID }
            .mapValues { $0.sorted()[...] }
        let horizon = unread.values.min()
        self.horizon = horizon
        generator = SplitMix64(seed: seed)
        self.waiting = waiting
        guard let horizon else { return }
        for source in unread.keys { leaveBehind(source) }
        for (source, contacts) in waiting where contacts.last! > horizon {
            self.waiting[source] = contacts.prefix { $0 <= horizon }
            leaveBehind(source)
        }
    }

    /// Notes that somebody waits behind the horizon at a source.
    private mutating func leaveBehind(_ source: SourceID) {
        unread.insert(source)
        owed.formUnion(shares[source, default: []].map(\.operatorID))
    }

    /// The sources at which contacts are left waiting though there is room, because not all who wait were known.
    public var backlog: Set<SourceID> {
        unread.filter(hasRoom(at:))
    }

    private func hasRoom(at source: SourceID) -> Bool {
        shares[source]?.contains { isAvailable($0.operatorID) } ?? false
    }

    /// Picks an available operator of the source with probability weight / sum of the available ones' weights.
    ///
    /// - Parameter isNew: Whether the contact comes now; then those who are owed to others are not available.
    private mutating func pick(for source: SourceID, isNew: Bool) -> OperatorID? {
        guard let shares = shares[source] else { return nil }
        func isCandidate(_ id: OperatorID) -> Bool { isNew ? isOpen(id) : isAvailable(id) }
        let sum = shares.reduce(Int64(0)) { isCandidate($1.operatorID) ? $0 + Int64($1.weight) : $0 }
        guard sum > 0 else { return nil }
        var ticket = Int64.random(in: 0..<sum, using: &generator)
        for share in shares where isCandidate(share.operatorID) {
            ticket -= Int64(share.weight)
            if ticket < 0 { return share.operatorID }
        }
        return nil
    }

    func isAvailable(_ id: OperatorID) -> Bool { capacities[id]?.isAvailable ?? false }

    /// Whether a contact that comes now may have the operator.
    func isOpen(_ id: OperatorID) -> Bool { isAvailable(id) && !owed.contains(id) }

    /// Gives an active contact to an operator who has room.
    mutating func give(_ contact: ContactID, to operatorID: OperatorID) {
        capacities[operatorID]!.currentLoad += 1
        placements[contact]!.operatorID = operatorID
    }

    /// Gives an active contact to one of its source's available operators, or lets it wait.
    mutating func place(_ contact: ContactID) {
        let source = placements[contact]!.sourceID
        if let operatorID = pick(for: source, isNew: true) { return give(contact, to: operatorID) }
        if let horizon, contact > horizon { return leaveBehind(source) }
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
                    hasRoom(at: source)
                else { continue }
                oldest = (contact, source)
            }
            guard let oldest, let operatorID = pick(for: oldest.source, isNew: false) else { return }
            waiting[oldest.source]!.removeFirst()
            give(oldest.contact, to: operatorID)
        }
    }

    /// Lets everybody in who waits although there is room: after a change of operators or shares.
    mutating func admitWaiting() { admitWaiting(at: waiting.keys.sorted()) }
}
