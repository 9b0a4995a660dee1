import ArgumentParser
import Assignment
import Model
import Postgres
import Store

/// The ceiling of the benchmark: the lane's two flights one after another on one connection, without HTTP, without a
/// queue, without anybody to answer. No part of the product.
@main
struct LaneBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lane-benchmark",
        abstract: "Registers contacts of new leads at all sources of a database in turn; prints a line of JSON.",
        discussion: "The database is migrated and has sources, as scripts/bench makes it.")

    @Option(help: "A libpq URL.") var databaseURL: String
    @Option(help: "The number of contacts in each transaction.") var batch = 256
    @Option(help: "How long to measure; a second of warming up comes before it.") var seconds = 10

    func validate() throws {
        guard batch >= 1, seconds >= 1 else { throw ValidationError("--batch and --seconds are at least 1") }
    }

    func run() throws {
        var connection = try Connection(ConnectionConfiguration(url: databaseURL))
        let sources = try connection.run(Self.sources()).map { try $0.next(SourceID.self) }
        guard !sources.isEmpty else { throw ValidationError("the database has no sources") }

        _ = try registerContacts(at: sources, for: .seconds(1), on: &connection)
        let (contacts, waiting, time) = try registerContacts(at: sources, for: .seconds(seconds), on: &connection)
        let rate = Int(Double(contacts) / (time / .seconds(1)))
        print(#"{"batch": \#(batch), "contacts": \#(contacts), "waiting": \#(waiting), "per_second": \#(rate)}"#)
    }

    private func registerContacts(
        at sources: [SourceID], for duration: Duration, on connection: inout Connection
    ) throws -> (contacts: Int, waiting: Int, time: Duration) {
        let start = ContinuousClock.now
        var (contacts, waiting) = (0, 0)
        while start.duration(to: .now) < duration {
            let commands = (contacts..<contacts + batch).map { number in
                AssignmentCommand.register(
                    NewContact(
                        sourceID: sources[number % sources.count],
                        identity: LeadIdentity(
                            externalID: nil, phone: "+7\(Int.random(in: 1...9_999_999_999))", email: nil),
                        leadName: "Lead", message: "I would like to know more about the product"))
            }
            var transaction = AssignmentTransaction(Batch(commands), usesGate: true)
            let opening = try transaction.begin(
                on: &connection, limits: .init(gate: .seconds(10), time: .seconds(10)))
            let plan = try transaction.decide(on: &connection, after: opening)
            try transaction.commit(plan.writes ?? [], attempt: 1, on: &connection)
            for answer in plan.decision.answers {
                guard case .contact(let details) = try answer.get() else { continue }
                if details.operator == nil { waiting += 1 }
            }
            contacts += batch
        }
        return (contacts, waiting, start.duration(to: .now))
    }

    private static let sources = Statement("SELECT id FROM sources ORDER BY id")
}
