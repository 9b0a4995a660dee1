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
        /// Contacts that were closed or got an operator.
        var moved: [(id: ContactID, placement: Desk.Placement)] = []
    }

    private struct Arrival {
        let time: Int64
        let source: Int
        let takesLong: Bool
    }

    private struct Person {
        let number: Int
        let name: String
        let isEnglish: Bool
    }

    private let arrivals: [Arrival]
    private var nextArrival = 0
    private let end: Int64
    /// Seconds that an operator takes over a contact, on average.
    private let handling: Double
    private var generator: SplitMix64
    private var desk: Desk
    private var leads = LeadBook([])
    private var people: [Person] = []
    private var waiting: Set<ContactID> = []
    private var closings: [(time: Int64, contact: ContactID)] = []
    private var lastTime = Int64.min

    /// - Parameters:
    ///   - count: How many contacts arrive.
    ///   - days: Over how many days until `end`.
    ///   - utcOffset: The local time's distance from UTC in seconds: people write by day.
    init(count: Int, days: Int, end: Timestamp, utcOffset: Int64, seed: UInt64) {
        generator = SplitMix64(seed: seed)
        self.end = end.microsecondsSince2000
        let workers = DemoDesk.workers.enumerated().map { index, worker in
            let capacity = Desk.Capacity(isActive: worker.isActive, maxLoad: worker.maxLoad, currentLoad: 0)
            return (OperatorID(Int64(index + 1)), capacity)
        }
        let shares = DemoDesk.entrances.enumerated().map { index, entrance in
            let shares = entrance.weights.map { Desk.Share(operatorID: OperatorID(Int64($0)), weight: $1) }
            return (SourceID(Int64(index + 1)), shares)
        }
        desk = Desk(
            capacities: Dictionary(uniqueKeysWithValues: workers), shares: Dictionary(uniqueKeysWithValues: shares),
            placements: [:], seed: generator.next())
        arrivals = Self.arrivals(count, days, end.microsecondsSince2000, utcOffset, &generator)
        // Two thirds of all places are taken in the busiest hour, a tenth of a day's traffic.
        let places = DemoDesk.workers.reduce(0.0) { $0 + ($1.isActive ? Double($1.maxLoad) : 0) }
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
        let campaign = min(count / 4, 18)
        let shares = DemoDesk.entrances.map(\.share)
        var arrivals: [Arrival] = (0..<(count - campaign)).map { _ in
            let ticket = Double.random(in: 0..<sum, using: &generator)
            let start = hours[sums.firstIndex { $0 > ticket } ?? 0]
            var share = Int.random(in: 0..<shares.reduce(0, +), using: &generator)
            let source = shares.firstIndex {
                share -= $0
                return share < 0
            }!
            return Arrival(
                time: start + Int64.random(in: 0..<hour, using: &generator), source: source, takesLong: false)
        }
        arrivals += (0..<campaign).map { _ in
            Arrival(
                time: end - Int64.random(in: 1..<(hour * 3 / 4), using: &generator),
                source: DemoDesk.entrances.count - 1, takesLong: true)
        }
        return arrivals.sorted { ($0.time, $0.source) < ($1.time, $1.source) }
    }

    /// How many contacts have arrived.
    var arrived: Int { nextArrival }

    /// The next change; `nil` when the present is reached.
    mutating func next() -> Step? {
        let arrival = nextArrival < arrivals.count ? arrivals[nextArrival] : nil
        let closing = closings.indices.min { closings[$0].time < closings[$1].time }
        if let closing, closings[closing].time < min(arrival?.time ?? end, end) {
            let (time, contact) = closings.remove(at: closing)
            return close(contact, at: moment(time))
        }
        guard let arrival else { return nil }
        nextArrival += 1
        return register(arrival, at: moment(arrival.time))
    }

    /// No two changes happen at once.
    private mutating func moment(_ time: Int64) -> Timestamp {
        lastTime = max(time, lastTime + 1)
        return Timestamp(microsecondsSince2000: lastTime)
    }

    private mutating func register(_ arrival: Arrival, at time: Timestamp) -> Step {
        let id = ContactID(Int64(nextArrival))
        let sourceID = SourceID(Int64(arrival.source + 1))
        let newLead = LeadID(Int64(leads.leads.count + 1))
        let contact = newContact(at: arrival.source, sourceID)
        let leadID = leads.lead(for: contact, newID: newLead, now: time)
        let lead = leads.leads[leadID]!
        _ = desk.carryOut(.register(id, sourceID))
        var step = Step(time: time)
        if leadID == newLead || lead.updatedAt == time { step.lead = (lead, leadID == newLead) }
        let placement = desk.placements[id]!
        step.added = Contact(
            id: id, leadID: leadID, sourceID: sourceID, operatorID: placement.operatorID, status: .active,
            message: contact.message, createdAt: time, updatedAt: nil)
        admit(into: &step)
        if placement.operatorID == nil {
            waiting.insert(id)
        } else {
            scheduleClosing(of: id, after: time, atLeast: arrival.takesLong ? 3_600 : 60)
        }
        return step
    }

    private mutating func close(_ contact: ContactID, at time: Timestamp) -> Step {
        _ = desk.carryOut(.update(contact, isActive: false, operatorID: nil))
        var step = Step(time: time, moved: [(contact, desk.placements[contact]!)])
        admit(into: &step)
        return step
    }

    /// Notes who of those that waited has an operator now.
    private mutating func admit(into step: inout Step) {
        for contact in waiting.sorted() where desk.placements[contact]!.operatorID != nil {
            waiting.remove(contact)
            step.moved.append((contact, desk.placements[contact]!))
            scheduleClosing(of: contact, after: step.time, atLeast: 60)
        }
    }

    private mutating func scheduleClosing(of contact: ContactID, after time: Timestamp, atLeast least: Double) {
        // Exponentially distributed.
        let seconds = least - handling * log(Double.random(in: 0.001..<1, using: &generator))
        closings.append((time.microsecondsSince2000 + Int64(seconds * Double(Self.second)), contact))
    }

    // MARK: - Who writes

    /// A third of the contacts come from people who have written before, perhaps elsewhere.
    private mutating func newContact(at source: Int, _ id: SourceID) -> NewContact {
        let entrance = DemoDesk.entrances[source]
        let isEnglish = [1, 3].contains(source)
        let known = people.filter { $0.isEnglish == isEnglish }
        let person: Person
        if !known.isEmpty, Int.random(in: 0..<3, using: &generator) == 0 {
            person = known.randomElement(using: &generator)!
        } else {
            let names = isEnglish ? DemoDesk.englishNames : DemoDesk.russianNames
            let name = [names.first, names.last].map { $0.randomElement(using: &generator)! }.joined(separator: " ")
            person = Person(number: people.count + 1, name: name, isEnglish: isEnglish)
            people.append(person)
        }
        // Code 000 is given to nobody, neither are numbers 555-01xx; example.org is reserved (RFC 2606).
        let digits = String(10_000_000 + person.number)
        let phone = isEnglish ? "+1 555 01\(digits.dropFirst(2))" : "+7 (000) \(digits.dropFirst(1))"
        let email = "lead\(person.number)@example.org"
        let identity =
            switch entrance.channel {
            case .bot:
                // Some share their number with the bot.
                LeadIdentity(
                    externalID: "tg-\(700_000_000 + person.number)", phone: person.number % 3 == 0 ? phone : nil,
                    email: nil)
            case .form: LeadIdentity(externalID: nil, phone: phone, email: email)
            case .ads: LeadIdentity(externalID: nil, phone: phone, email: nil)
            case .mail: LeadIdentity(externalID: nil, phone: nil, email: email)
            }
        let messages = isEnglish ? DemoDesk.englishMessages : DemoDesk.russianMessages
        return NewContact(
            sourceID: id, identity: identity, leadName: person.name,
            message: messages.randomElement(using: &generator))
    }
}
