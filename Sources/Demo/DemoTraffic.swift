import Assignment
import Distribution
import Model
import Postgres
import Store

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What happened at the demonstration's desk, one change after another, decided by what decides in earnest:
/// `Distribution.Desk` gives the contacts away, ``LeadBook`` finds their leads. Pure: the same arguments give the same
/// traffic.
struct DemoTraffic {
    /// What one call to the API would have changed.
    struct Step {
        let time: Timestamp
        var lead: (record: Lead, isNew: Bool)?
        var added: Contact?
        /// Who takes no more contacts.
        var leaver: OperatorID?
        /// Contacts that were closed, or got another operator or none.
        var moved: [(id: ContactID, placement: Desk.Placement, cause: ContactCause)] = []
    }

    /// What somebody does at the desk.
    private enum Errand {
        case close(ContactID)
        case requeue(ContactID)
        case transfer(ContactID)
        /// ``DemoDesk/leaver`` goes.
        case leave
    }

    private struct Arrival {
        let time: Int64
        let source: Int
        let priority: Int32
        var takesLong = false
        var isInBatch = false
    }

    private let arrivals: [Arrival]
    private var nextArrival = 0
    private let end: Int64
    /// Seconds that an operator takes over a contact, on average.
    private let handling: Double
    private var generator: SplitMix64
    private var desk: Desk
    private var leads = LeadBook([])
    private var writtenLeads: [LeadID: Lead] = [:]
    private var people = DemoPeople()
    private var waiting: Set<ContactID> = []
    private var contactsOfLead: [LeadID: [ContactID]] = [:]
    private var errands: [(time: Int64, errand: Errand)] = []
    private var isLeaving = false
    private var lastTime = Int64.min

    /// - Parameters:
    ///   - count: How many contacts arrive.
    ///   - days: Over how many days until `end`.
    ///   - utcOffset: The local time's distance from UTC in seconds: people write by day.
    init(count: Int, days: Int, end: Timestamp, utcOffset: Int64, seed: UInt64) {
        generator = SplitMix64(seed: seed)
        self.end = end.microsecondsSince2000
        let workers = DemoDesk.workers.enumerated().map { index, worker in
            let capacity = Desk.Capacity(isActive: true, maxLoad: worker.maxLoad, currentLoad: 0)
            return (OperatorID(Int64(index + 1)), capacity)
        }
        func bySource<Value>(_ value: (DemoDesk.Entrance) -> Value) -> [SourceID: Value] {
            Dictionary(uniqueKeysWithValues: zip((1...).lazy.map { SourceID($0) }, DemoDesk.entrances.map(value)))
        }
        desk = Desk(
            capacities: Dictionary(uniqueKeysWithValues: workers),
            shares: bySource {
                $0.weights.map { Desk.Share(operatorID: OperatorID(Int64($0)), weight: $1) }
            },
            strategies: bySource(\.strategy),
            rooms: bySource {
                Dictionary(uniqueKeysWithValues: $0.limits.map { (OperatorID(Int64($0)), $1) })
            },
            placements: [:], clock: Timestamp(microsecondsSince2000: self.end - Int64(days) * 24 * Self.hour),
            seed: generator.next())
        arrivals = Self.arrivals(count, days, end.microsecondsSince2000, utcOffset, &generator)
        // Two thirds of all places are taken in the busiest hour, a tenth of a day's traffic.
        let places = DemoDesk.workers.reduce(0.0) { $0 + Double($1.maxLoad) }
        handling = min(5_400, 0.7 * places / (Double(count) / Double(days) / 10) * 3_600)
    }

    private static let second: Int64 = 1_000_000
    private static let hour = 3_600 * second

    /// People write by day, and on working days; the campaign of the last source began three quarters of an hour ago.
    private static func arrivals(
        _ count: Int, _ days: Int, _ end: Int64, _ utcOffset: Int64, _ generator: inout SplitMix64
    ) -> [Arrival] {
        let byHour: [Double] = [
            1, 1, 0.5, 0.5, 0.5, 1, 2, 4, 7, 10, 11, 11, 9, 10, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2,
        ]
        let hours = (0..<(days * 24)).map { end - Int64($0 + 1) * hour }
        var sum = 0.0
        let sums = hours.map { start in
            let local = (start + hour / 2) / second + utcOffset
            let (day, second) = (local / 86_400, local % 86_400)
            // 2000-01-01 was a Saturday.
            sum += byHour[Int(second / 3_600)] * (day % 7 < 2 ? 0.4 : 1)
            return sum
        }
        func priority() -> Int32 {
            Int.random(in: 0..<6, using: &generator) == 0 ? Int32.random(in: 1...9, using: &generator) : 0
        }
        let (campaign, batch) = (min(count / 4, 18), min(count / 5, 12))
        let shares = DemoDesk.entrances.map(\.share)
        var arrivals: [Arrival] = (0..<(count - campaign - batch)).map { _ in
            let ticket = Double.random(in: 0..<sum, using: &generator)
            let start = hours[sums.firstIndex { $0 > ticket } ?? 0]
            var share = Int.random(in: 0..<shares.reduce(0, +), using: &generator)
            let source = shares.firstIndex {
                share -= $0
                return share < 0
            }!
            return Arrival(
                time: start + Int64.random(in: 0..<hour, using: &generator), source: source, priority: priority())
        }
        // No sooner than an hour ago, so that some of them are still there.
        let together = end - Int64.random(in: (hour / 2)..<hour, using: &generator)
        arrivals += (0..<batch).map { _ in
            Arrival(time: together, source: DemoDesk.batchEntrance, priority: priority(), isInBatch: true)
        }
        arrivals += (0..<campaign).map { _ in
            Arrival(
                time: end - Int64.random(in: 1..<(hour * 3 / 4), using: &generator),
                source: DemoDesk.entrances.count - 1, priority: priority(), takesLong: true)
        }
        return arrivals.sorted { ($0.time, $0.source) < ($1.time, $1.source) }
    }

    /// How many contacts have arrived.
    var arrived: Int { nextArrival }

    /// What strategies remember of the operators.
    var turns: [(sourceID: SourceID, operatorID: OperatorID, turn: Desk.Turn)] {
        desk.turns.flatMap { source, turns in turns.map { (source, $0, $1) } }
    }

    /// The next change; `nil` when the present is reached.
    mutating func next() -> Step? {
        let arrival = nextArrival < arrivals.count ? arrivals[nextArrival] : nil
        let first = errands.indices.min { errands[$0].time < errands[$1].time }
        if let first, errands[first].time < min(arrival?.time ?? end, end) {
            let (time, errand) = errands.remove(at: first)
            return carryOut(errand, at: moment(time))
        }
        guard let arrival else { return nil }
        let isWithLast = arrival.isInBatch && arrivals[..<nextArrival].last?.isInBatch ?? false
        nextArrival += 1
        return register(
            arrival, at: isWithLast ? Timestamp(microsecondsSince2000: lastTime) : moment(arrival.time))
    }

    /// No two changes happen at once, but for the contacts of a batch.
    private mutating func moment(_ time: Int64) -> Timestamp {
        lastTime = max(time, lastTime + 1)
        return Timestamp(microsecondsSince2000: lastTime)
    }

    private mutating func register(_ arrival: Arrival, at time: Timestamp) -> Step {
        let id = ContactID(Int64(nextArrival))
        let sourceID = SourceID(Int64(arrival.source + 1))
        let newLead = LeadID(Int64(leads.leads.count + 1))
        let contact = people.newContact(at: sourceID, priority: arrival.priority, using: &generator)
        let leadID = leads.lead(for: contact, newID: newLead, now: time)
        let lead = leads.leads[leadID]!
        let isSticky = DemoDesk.entrances[arrival.source].isSticky
        _ = desk.carryOut(
            .register(id, sourceID, priority: arrival.priority, preferring: isSticky ? lastOperator(of: leadID) : nil))
        contactsOfLead[leadID, default: []].append(id)
        var step = Step(time: time)
        if writtenLeads.updateValue(lead, forKey: leadID) != lead { step.lead = (lead, leadID == newLead) }
        let placement = desk.placements[id]!
        step.added = Contact(
            id: id, leadID: leadID, sourceID: sourceID, operatorID: placement.operatorID, status: .active,
            message: contact.message, priority: arrival.priority, createdAt: time, updatedAt: nil)
        admit(into: &step)
        if placement.operatorID == nil {
            waiting.insert(id)
        } else {
            scheduleClosing(of: id, after: time, atLeast: arrival.takesLong ? 3_600 : 60)
            scheduleErrands(with: id, after: time)
        }
        return step
    }

    /// The operator of the lead's newest contact that has one.
    private func lastOperator(of lead: LeadID) -> OperatorID? {
        contactsOfLead[lead, default: []].reversed().lazy.compactMap { desk.placements[$0]!.operatorID }.first
    }

    /// Of fifty contacts one is requeued, and one transferred. ``DemoDesk/leaver`` goes soon after they were given one.
    private mutating func scheduleErrands(with contact: ContactID, after time: Timestamp) {
        func schedule(_ errand: Errand, after seconds: Int64) {
            errands.append((time.microsecondsSince2000 + seconds * Self.second, errand))
        }
        if contact.rawValue % 50 == 20 { schedule(.requeue(contact), after: 20) }
        if contact.rawValue % 50 == 40 { schedule(.transfer(contact), after: 20) }
        let isLate = nextArrival * 3 > arrivals.count * 2
        if !isLeaving, isLate, desk.placements[contact]!.operatorID == DemoDesk.leaver {
            isLeaving = true
            schedule(.leave, after: 30)
        }
    }

    private mutating func carryOut(_ errand: Errand, at time: Timestamp) -> Step {
        switch errand {
        case .close(let contact):
            return change(contact, .close, at: time) { _ in .update(contact, isActive: false, operatorID: nil) }
        case .requeue(let contact): return change(contact, .requeue, at: time) { _ in .requeue(contact) }
        case .transfer(let contact):
            return change(contact, .transfer, at: time) { desk in
                let placement = desk.placements[contact]!
                let others = desk.shares[placement.sourceID]!.map(\.operatorID)
                    .filter { $0 != placement.operatorID && $0 != DemoDesk.leaver }
                return others.first { desk.capacities[$0]!.isAvailable }
                    .map { .update(contact, isActive: nil, operatorID: $0) }
            }
        case .leave:
            let held = desk.placements.filter { $1.isActive && $1.operatorID == DemoDesk.leaver }.keys.sorted()
            var step = Step(time: time, leaver: DemoDesk.leaver)
            move(desk.release(held, from: DemoDesk.leaver), .release, in: &step)
            return step
        }
    }

    /// Changes a contact, if it is still with an operator.
    ///
    /// - Parameter change: `nil`: there is nothing to be done.
    private mutating func change(
        _ contact: ContactID, _ cause: ContactCause, at time: Timestamp, _ change: (Desk) -> Desk.Change?
    ) -> Step {
        var step = Step(time: time)
        let before = desk.placements[contact]!
        guard before.isActive, before.operatorID != nil, let change = change(desk) else { return step }
        _ = desk.carryOut(change)
        if desk.placements[contact] != before { move([contact], cause, in: &step) }
        return step
    }

    /// Notes where contacts stand now that were changed.
    private mutating func move(_ contacts: [ContactID], _ cause: ContactCause, in step: inout Step) {
        step.moved = contacts.map { ($0, desk.placements[$0]!, cause) }
        admit(into: &step)
        waiting.formUnion(step.moved.filter { $0.placement.isActive && $0.placement.operatorID == nil }.map(\.id))
    }

    /// Notes who of those that waited has an operator now.
    private mutating func admit(into step: inout Step) {
        for contact in waiting.sorted() where desk.placements[contact]!.operatorID != nil {
            waiting.remove(contact)
            step.moved.append((contact, desk.placements[contact]!, .placeFreed))
            scheduleClosing(of: contact, after: step.time, atLeast: 60)
        }
    }

    private mutating func scheduleClosing(of contact: ContactID, after time: Timestamp, atLeast least: Double) {
        // Exponentially distributed.
        let seconds = least - handling * log(Double.random(in: 0.001..<1, using: &generator))
        errands.append((time.microsecondsSince2000 + Int64(seconds * Double(Self.second)), .close(contact)))
    }
}
