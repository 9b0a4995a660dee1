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
        public internal(set) var priority: Int32

        public init(sourceID: SourceID, operatorID: OperatorID?, isActive: Bool, priority: Int32 = 0) {
            self.sourceID = sourceID
            self.operatorID = operatorID
            self.isActive = isActive
            self.priority = priority
        }

        var isWaiting: Bool { isActive && operatorID == nil }
    }

    /// What a strategy remembers of an operator at a source.
    public struct Turn: Sendable, Equatable {
        /// For ``Strategy/smoothWeighted``: what is owed to the operator, of which a contact takes the sum of weights. `nil`
        /// for who was not available when it last chose.
        public internal(set) var credit: Int64?
        /// When the operator was last given a contact of the source; `nil`: never.
        public internal(set) var givenAt: Timestamp?

        public init(credit: Int64? = nil, givenAt: Timestamp? = nil) {
            self.credit = credit
            self.givenAt = givenAt
        }
    }

    /// What happened, for the record.
    public struct Step: Sendable, Equatable {
        public enum Event: Sendable, Equatable {
            /// An active contact got an operator.
            case given(ContactID, to: OperatorID, by: Way)
            /// An active contact was left waiting.
            case left(ContactID)
            /// An operator lost one.
            case freed(OperatorID)
        }

        /// By what an operator was chosen.
        public enum Way: Sendable, CaseIterable { case strategy, sticky, name }

        /// The contact's source.
        public let source: SourceID
        public let event: Event
        public let cause: ContactCause
        /// Those of the source's operators who had room and could not be chosen all the same.
        public let passedOver: [OperatorID]
    }

    public private(set) var capacities: [OperatorID: Capacity]
    public let shares: [SourceID: [Share]]
    let strategies: [SourceID: Strategy]
    /// What those strategies remember that ask for it, of all operators of their sources.
    public internal(set) var turns: [SourceID: [OperatorID: Turn]]
    /// How many more contacts of a source an operator may hold, where the weight says so.
    public private(set) var rooms: [SourceID: [OperatorID: Int32]]
    private let sourcesOfOperator: [OperatorID: [SourceID]]
    public internal(set) var placements: [ContactID: Placement]
    /// In queue order. One that was given away, closed or moved since is passed over when it comes to the front.
    private var waiting: [SourceID: ArraySlice<QueuePlace>]
    /// The last place of which it is known that all who wait before it are known; `nil`: all are.
    private let horizon: QueuePlace?
    /// The sources at which somebody waits, or may wait, behind the horizon.
    private var unread: Set<SourceID> = []
    /// The operators who may be owed to somebody behind the horizon: nobody behind it gets them.
    private var owed: Set<OperatorID> = []
    /// Those who get nothing more, as contacts are taken from them.
    var closed: Set<OperatorID> = []
    /// When the last contact was given, later than any before.
    private(set) var clock: Timestamp
    var generator: SplitMix64
    public private(set) var steps: [Step] = []

    /// - Parameters:
    ///   - shares: For each source the operators who take its contacts.
    ///   - strategies: Of the sources; ``Strategy/weightedRandom`` without an entry.
    ///   - turns: What their strategies remember, also of operators who are not available.
    ///   - rooms: How many more contacts of a source an operator may hold; without an entry only `maxLoad` counts.
    ///   - placements: The contacts that will be changed, and those that may be let in, the first in each source's queue.
    ///   - unread: The sources at which more contacts wait than `placements` has, each with the last one that it has.
    ///   - clock: Later than any contact was given so far, so that the order in which they are can be remembered.
    ///   - seed: Decides every random choice.
    public init(
        capacities: [OperatorID: Capacity], shares: [SourceID: [Share]], strategies: [SourceID: Strategy] = [:],
        turns: [SourceID: [OperatorID: Turn]] = [:], rooms: [SourceID: [OperatorID: Int32]] = [:],
        placements: [ContactID: Placement], unread: [SourceID: QueuePlace] = [:],
        clock: Timestamp = Timestamp(microsecondsSince2000: 0), seed: UInt64
    ) {
        self.capacities = capacities
        self.shares = shares
        self.strategies = strategies
        self.turns = turns
        self.rooms = rooms
        self.placements = placements
        self.clock = clock
        sourcesOfOperator = shares.reduce(into: [:]) { sources, entry in
            for share in entry.value { sources[share.operatorID, default: []].append(entry.key) }
        }
        let waiting = Dictionary(grouping: placements.filter(\.value.isWaiting)) { $0.value.sourceID }
            .mapValues { $0.map { QueuePlace(priority: $0.value.priority, contact: $0.key) }.sorted()[...] }
        let horizon = unread.values.min()
        self.horizon = horizon
        generator = SplitMix64(seed: seed)
        self.waiting = waiting
        for (source, strategy) in strategies where strategy != .weightedRandom {
            for share in shares[source, default: []] where turns[source]?[share.operatorID] == nil {
                self.turns[source, default: [:]][share.operatorID] = Turn()
            }
        }
        guard let horizon else { return }
        for source in unread.keys { leaveBehind(source) }
        for (source, places) in waiting where places.last! > horizon {
            self.waiting[source] = places.prefix { $0 <= horizon }
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
        shares[source]?.contains { isAvailable($0.operatorID, at: source) } ?? false
    }

    private func isAvailable(_ id: OperatorID, at source: SourceID) -> Bool {
        hasRoom(id, at: source) && !closed.contains(id)
    }

    func hasRoom(_ id: OperatorID, at source: SourceID) -> Bool {
        capacities[id]?.isAvailable ?? false && hasShareRoom(id, at: source)
    }

    /// Whether the operator's weight at the source allows another of its contacts.
    func hasShareRoom(_ id: OperatorID, at source: SourceID) -> Bool { rooms[source]?[id] ?? 1 > 0 }

    /// Whether whoever has this place may have the operator.
    private func mayTake(_ id: OperatorID, at source: SourceID, _ place: QueuePlace) -> Bool {
        isAvailable(id, at: source) && (!owed.contains(id) || place <= horizon!)
    }

    /// Whether a contact may have the operator now.
    func mayTake(_ id: OperatorID, for contact: ContactID) -> Bool {
        mayTake(id, at: placements[contact]!.sourceID, queuePlace(of: contact))
    }

    func queuePlace(of contact: ContactID) -> QueuePlace {
        QueuePlace(priority: placements[contact]!.priority, contact: contact)
    }

    /// Gives an active contact to an operator who has room.
    mutating func give(_ contact: ContactID, to operatorID: OperatorID, by way: Step.Way, because cause: ContactCause) {
        let source = placements[contact]!.sourceID
        note(.given(contact, to: operatorID, by: way), at: source, queuePlace(of: contact), because: cause)
        placements[contact]!.operatorID = operatorID
        take(operatorID, at: source)
    }

    private mutating func note(
        _ event: Step.Event, at source: SourceID, _ place: QueuePlace? = nil, because cause: ContactCause
    ) {
        var passedOver: [OperatorID] = []
        if let place, !closed.isEmpty || !owed.isEmpty {
            passedOver = shares[source, default: []].map(\.operatorID)
                .filter { hasRoom($0, at: source) && !mayTake($0, at: source, place) }
        }
        steps.append(Step(source: source, event: event, cause: cause, passedOver: passedOver))
    }

    /// Takes one of an operator's places for a contact of a source.
    mutating func take(_ operatorID: OperatorID, at source: SourceID) {
        capacities[operatorID]!.currentLoad += 1
        rooms[source]?[operatorID]? -= 1
        if turns[source]?[operatorID] != nil {
            clock = Timestamp(microsecondsSince2000: clock.microsecondsSince2000 + 1)
            turns[source]![operatorID]!.givenAt = clock
        }
    }

    /// Gives an active contact to one of its source's available operators, or lets it wait.
    ///
    /// - Parameter preferred: Who gets it if the source is theirs and they may have it.
    mutating func place(
        _ contact: ContactID, preferring preferred: OperatorID? = nil, because cause: ContactCause
    ) {
        let source = placements[contact]!.sourceID
        let place = queuePlace(of: contact)
        if let preferred, mayTake(preferred, at: source, place),
            shares[source]?.contains(where: { $0.operatorID == preferred }) ?? false
        {
            return give(contact, to: preferred, by: .sticky, because: cause)
        }
        if let operatorID = pick(for: source, place) {
            return give(contact, to: operatorID, by: .strategy, because: cause)
        }
        note(.left(contact), at: source, place, because: cause)
        if let horizon, place > horizon { return leaveBehind(source) }
        if let last = waiting[source]?.last, last > place {
            waiting[source]!.insert(place, at: waiting[source]!.firstIndex { $0 > place }!)
        } else {
            waiting[source, default: []].append(place)
        }
    }

    /// Gives one more contact of a source away.
    ///
    /// - Returns: To whom; `nil`: nobody has room.
    public mutating func next(at source: SourceID) -> OperatorID? {
        let last = QueuePlace(priority: .min, contact: ContactID(.max))
        guard let operatorID = pick(for: source, last) else { return nil }
        take(operatorID, at: source)
        return operatorID
    }

    /// By the source's strategy one of its operators whom the place may have.
    private mutating func pick(for source: SourceID, _ place: QueuePlace) -> OperatorID? {
        let candidates = shares[source, default: []].filter { mayTake($0.operatorID, at: source, place) }
        return candidates.isEmpty ? nil : choose(among: candidates, at: source).operatorID
    }

    /// Takes one contact of a source off an operator's load, and lets those in who wait for it.
    mutating func free(_ operatorID: OperatorID, of source: SourceID, because cause: ContactCause) {
        unload(operatorID, of: source, because: cause)
        admitWaiting(for: operatorID)
    }

    /// Takes one contact of a source off an operator's load.
    mutating func unload(_ operatorID: OperatorID, of source: SourceID, because cause: ContactCause) {
        note(.freed(operatorID), at: source, because: cause)
        leave(operatorID, at: source)
    }

    /// Gives one of an operator's places back.
    mutating func leave(_ operatorID: OperatorID, at source: SourceID) {
        capacities[operatorID]?.currentLoad -= 1
        rooms[source]?[operatorID]? += 1
    }

    /// Lets those in who wait for an operator.
    mutating func admitWaiting(for operatorID: OperatorID) {
        guard capacities[operatorID]?.isAvailable ?? false else { return }
        admitWaiting(at: sourcesOfOperator[operatorID] ?? []) { _, _ in .placeFreed }
    }

    /// Gives waiting contacts of these sources away, in queue order, as long as somebody has room for them.
    private mutating func admitWaiting(at sources: [SourceID], because cause: (SourceID, OperatorID) -> ContactCause) {
        while true {
            var first: (place: QueuePlace, source: SourceID)?
            for source in sources {
                while let place = waiting[source]?.first, !isWaiting(at: place) { waiting[source]!.removeFirst() }
                guard let place = waiting[source]?.first, first.map({ place < $0.place }) ?? true,
                    hasRoom(at: source)
                else { continue }
                first = (place, source)
            }
            guard let first, let operatorID = pick(for: first.source, first.place) else { return }
            waiting[first.source]!.removeFirst()
            give(first.place.contact, to: operatorID, by: .strategy, because: cause(first.source, operatorID))
        }
    }

    private func isWaiting(at place: QueuePlace) -> Bool {
        placements[place.contact].map { $0.isWaiting && $0.priority == place.priority } ?? false
    }

    /// Lets everybody in who waits although there is room: to be called before the first change, so that none overtakes
    /// a contact that the same operator could take.
    ///
    /// - Parameter cause: Why an operator has room for contacts of a source.
    public mutating func admitWaiting(because cause: (SourceID, OperatorID) -> ContactCause = { _, _ in .sweep }) {
        admitWaiting(at: waiting.keys.sorted(), because: cause)
    }
}
