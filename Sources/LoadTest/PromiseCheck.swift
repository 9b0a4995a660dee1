/// A promise of the service, compared with what the load test has seen.
public struct PromiseCheck: Sendable, Encodable, Equatable {
    public let promise: String
    /// Whether the promise was kept; `nil` if the run does not tell.
    public let isKept: Bool?
    /// Numbers, and the first examples of what breaks the promise.
    public let detail: String
}

/// What the API shows after the load.
struct Observation: Sendable {
    struct Pair: Hashable, Sendable {
        let source: Int64
        let `operator`: Int64?
    }

    /// Acknowledged contacts that no list has.
    var missing = IdentifierSet()
    /// Acknowledged closings whose contact is not listed as closed.
    var reopened = IdentifierSet()
    /// The numbers of registered contacts of which the lists have two.
    var twice = IdentifierSet()
    /// Contacts of each source by operator, as listed.
    var listed: [Pair: Int] = [:]
    /// Contacts of each source by operator, as `stats/distribution` counts them.
    var counted: [Pair: Int] = [:]
    /// Active contacts of each operator, as listed; those of `nil` wait.
    var active: [Int64?: Int] = [:]
    var operators: [API.Operator] = []

    /// Reads all records of the run.
    ///
    /// - Parameter progress: Called with the number of contacts that were listed.
    static func make(
        of fixture: Fixture, _ ledger: Ledger, with api: API, progress: (Int) -> Void
    ) async throws -> Observation {
        var seen = Observation()
        seen.missing = ledger.registered
        seen.reopened = ledger.closed
        var total = 0
        var numbers = IdentifierSet()
        for source in fixture.sources {
            try await api.pages("/api/v1/contacts?source_id=\(source.id)", by: \.id) { (page: [API.Contact]) in
                for contact in page {
                    seen.missing.remove(contact.id)
                    if let number = Registration.number(in: contact.message), !numbers.insert(number) {
                        seen.twice.insert(number)
                    }
                    if contact.status == "closed" {
                        seen.reopened.remove(contact.id)
                    } else {
                        seen.active[contact.operatorID, default: 0] += 1
                    }
                    seen.listed[Pair(source: source.id, operator: contact.operatorID), default: 0] += 1
                }
                total += page.count
                progress(total)
            }
        }
        let own = Set(fixture.sources.map(\.id))
        let counts = try await api.get("/api/v1/contacts/stats/distribution", as: [API.DistributionCount].self)
        for count in counts where own.contains(count.sourceID) {
            seen.counted[Pair(source: count.sourceID, operator: count.operatorID)] = count.contacts
        }
        seen.operators = try await fixture.operators(api)
        return seen
    }
}

extension PromiseCheck {
    static func all(_ fixture: Fixture, _ ledger: Ledger, _ seen: Observation) -> [PromiseCheck] {
        [
            loads(fixture, seen), present(ledger, seen), once(ledger), closed(ledger, seen), stored(ledger, seen),
            counts(ledger, seen), countedOnce(ledger, seen), replayed(ledger), ordered(ledger),
            shares(fixture, ledger, seen),
        ]
    }

    private static func loads(_ fixture: Fixture, _ seen: Observation) -> PromiseCheck {
        let loads = seen.operators.map { ($0.id, max($0.currentLoad, seen.active[$0.id] ?? 0), $0.maxLoad) }
        let over = loads.filter { $1 > $2 }.map { "operator \($0) has \($1) of \($2)" }
        let highest = loads.max { $0.1 < $1.1 }.map { "highest load \(grouped($0.1)) of \(grouped($0.2))" } ?? ""
        let isComplete = seen.operators.count == fixture.operators.count
        return PromiseCheck(
            promise: "no load over its limit", isKept: over.isEmpty && isComplete,
            detail: !over.isEmpty
                ? examples(over, of: over.count)
                : isComplete
                    ? highest : "listed: \(seen.operators.count) of \(counted(fixture.operators.count, "operator"))")
    }

    private static func present(_ ledger: Ledger, _ seen: Observation) -> PromiseCheck {
        PromiseCheck(
            promise: "each acknowledged contact present", isKept: seen.missing.count == 0,
            detail: seen.missing.count == 0
                ? counted(ledger.registered.count, "contact")
                : "missing: " + examples(seen.missing.lowest(5).map(String.init), of: seen.missing.count))
    }

    private static func once(_ ledger: Ledger) -> PromiseCheck {
        PromiseCheck(
            promise: "nothing acknowledged twice", isKept: ledger.repeated == 0,
            detail: ledger.repeated == 0 ? "" : "\(counted(ledger.repeated, "id")) came again")
    }

    private static func closed(_ ledger: Ledger, _ seen: Observation) -> PromiseCheck {
        PromiseCheck(
            promise: "what was closed stays closed",
            isKept: ledger.closed.count == 0 ? nil : seen.reopened.count == 0,
            detail: seen.reopened.count == 0
                ? ledger.closed.count == 0 ? "nothing was closed" : counted(ledger.closed.count, "contact")
                : "not closed: " + examples(seen.reopened.lowest(5).map(String.init), of: seen.reopened.count))
    }

    /// Checks that no other registrations are stored than those acknowledged, and some of those of unknown outcome.
    private static func stored(_ ledger: Ledger, _ seen: Observation) -> PromiseCheck {
        let surplus = seen.listed.values.reduce(0, +) + seen.missing.count - ledger.registered.count
        return PromiseCheck(
            promise: "nothing stored that was refused", isKept: surplus <= ledger.unknown,
            detail: surplus == 0 && ledger.unknown == 0
                ? ""
                : "\(grouped(surplus)) more than acknowledged, \(grouped(ledger.unknown)) of unknown outcome")
    }

    private static func counts(_ ledger: Ledger, _ seen: Observation) -> PromiseCheck {
        let pairs = Set(seen.listed.keys).union(seen.counted.keys)
        let difference = pairs.reduce(0) { $0 + abs((seen.listed[$1] ?? 0) - (seen.counted[$1] ?? 0)) }
        return PromiseCheck(
            // A registration of unknown outcome may have been committed between the list and the count.
            promise: "stats/distribution agrees with the lists", isKept: difference <= ledger.unknown,
            detail: difference == 0 ? "" : "differs by \(grouped(difference))")
    }

    private static func countedOnce(_ ledger: Ledger, _ seen: Observation) -> PromiseCheck {
        let isBroken = seen.twice.count > 0
        return PromiseCheck(
            promise: "no key counted twice", isKept: isBroken ? false : ledger.keys.settled == 0 ? nil : true,
            detail: isBroken
                ? "registrations with two contacts: "
                    + examples(seen.twice.lowest(5).map(String.init), of: seen.twice.count)
                : ledger.keys.settled == 0 ? "no key was sent" : counted(ledger.keys.settled, "key"))
    }

    private static func replayed(_ ledger: Ledger) -> PromiseCheck {
        let keys = ledger.keys
        let faults = [
            (keys.differing, "answered otherwise than at first"), (keys.mismarked, "marked wrongly as replayed or not"),
            (keys.unsettled, "never settled"),
        ].filter { $0.0 > 0 }
        return PromiseCheck(
            promise: "a repetition gets the first answer",
            isKept: !faults.isEmpty ? false : keys.repetitions == 0 ? nil : true,
            detail: !faults.isEmpty
                ? faults.map { "\(grouped($0)) \($1)" }.joined(separator: ", ")
                : keys.repetitions == 0
                    ? "nothing was repeated"
                    : "\(counted(keys.repetitions, "repetition")), \(counted(keys.lost, "request")) of unknown outcome")
    }

    private static func ordered(_ ledger: Ledger) -> PromiseCheck {
        PromiseCheck(
            promise: "results of a batch in order", isKept: ledger.batches == 0 ? nil : ledger.disordered == 0,
            detail: ledger.batches == 0
                ? "no batch was answered"
                : ledger.disordered == 0
                    ? "\(grouped(ledger.batches)) answered"
                    : "\(grouped(ledger.disordered)) of \(grouped(ledger.batches)) not")
    }

    private static func examples(_ texts: [String], of count: Int) -> String {
        texts.prefix(5).joined(separator: ", ") + (count > 5 ? " and \(grouped(count - 5)) more" : "")
    }
}
