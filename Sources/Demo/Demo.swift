import Assignment
import Distribution
import Model
public import Postgres
import Store

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Fills an empty database with a desk and its traffic of the last days, in one transaction.
///
/// Every change is written as an instance would have written it at its time: contacts arrive, get operators or wait, and
/// are closed in order, and the triggers count, guard and record each of them.
public struct Demo: Sendable {
    private let contacts: Int
    private let days: Int
    private let seed: UInt64

    public struct Summary: Sendable {
        public let operators: Int
        public let sources: Int
        public let leads: Int
        public let contacts: Int
        public let active: Int
        public let waiting: Int
    }

    public enum Failure: Error, Sendable, CustomStringConvertible {
        case notEmpty

        public var description: String {
            "the database holds data already: demo fills an empty one only, and leaves yours alone"
        }
    }

    /// - Parameters:
    ///   - contacts: How many contacts, at least 1.
    ///   - days: Over how many days until now, at least 1.
    ///   - seed: Decides everything but the time.
    public init(contacts: Int, days: Int, seed: UInt64) {
        self.contacts = contacts
        self.days = days
        self.seed = seed
    }

    /// - Parameters:
    ///   - connection: To a database with all migrations.
    ///   - progress: Called with the number of contacts so far.
    /// - Throws: ``Failure``, ``Roles/NotOwner``, ``PostgresError``; nothing was changed then.
    public func run(on connection: inout Connection, progress: (Int) -> Void) throws -> Summary {
        try Roles.requireOwner(on: &connection)
        do {
            try connection.run(script: "BEGIN")
            try connection.run(script: "SET LOCAL lock_timeout = '10s'")
            _ = try connection.run(DemoStatements.lock())
            guard try connection.run(DemoStatements.isEmpty()).first({ try $0.next(Bool.self) })! else {
                throw Failure.notEmpty
            }
            try fill(&connection, progress)
            let summary = try connection.run(DemoStatements.summary()).first { row in
                func count() throws -> Int { Int(try row.next(Int64.self)) }
                return Summary(
                    operators: try count(), sources: try count(), leads: try count(), contacts: try count(),
                    active: try count(), waiting: try count())
            }!
            try Sequences.catchUpAndCommit(on: &connection)
            return summary
        } catch {
            try? connection.rollBack()
            throw error
        }
    }

    private func fill(_ connection: inout Connection, _ progress: (Int) -> Void) throws {
        let end = Timestamp.now
        let opening = Timestamp(microsecondsSince2000: end.microsecondsSince2000 - Int64(days + 1) * 86_400_000_000)
        let workers = DemoDesk.workers + [DemoDesk.mistakenWorker]
        let entrances = DemoDesk.entrances + [DemoDesk.mistakenEntrance]
        let weights = entrances.enumerated().flatMap { index, entrance in
            entrance.weights.map {
                (operatorID: Int64($0), sourceID: Int64(index + 1), weight: $1, maxLoad: entrance.limits[$0])
            }
        }
        _ = try connection.run([
            DemoStatements.operators(
                .textArray(workers.map(\.name)), .int4Array(workers.map(\.maxLoad)), opening.parameter),
            DemoStatements.sources(
                .textArray(entrances.map(\.name)), .textArray(entrances.map(\.description)),
                .textArray(entrances.map(\.strategy.rawValue)), .int4Array(entrances.map { $0.isSticky ? 1 : 0 }),
                opening.parameter),
            DemoStatements.weights(
                .int8Array(weights.map(\.operatorID)), .int8Array(weights.map(\.sourceID)),
                .int4Array(weights.map(\.weight)), .int4Array(weights.map { $0.maxLoad ?? 0 }), opening.parameter),
            DemoStatements.deleteOperator(.int8(Int64(workers.count))),
            DemoStatements.deleteSource(.int8(Int64(entrances.count))),
            DemoStatements.play(),
        ])

        var traffic = DemoTraffic(
            count: contacts, days: days, end: end, utcOffset: Self.utcOffset, seed: seed)
        var flight: [Query] = []
        while let step = traffic.next() {
            flight += DemoStatements.writes(of: step)
            if flight.count >= 256 {
                _ = try connection.run(flight)
                flight = []
                progress(traffic.arrived)
            }
        }
        let turns = traffic.turns
        flight.append(
            DemoStatements.turns(
                .int8Array(turns.map(\.sourceID.rawValue)), .int8Array(turns.map(\.operatorID.rawValue)),
                .int8Array(turns.map(\.turn.credit)), .int8Array(turns.map(\.turn.givenAt?.microsecondsSince2000))))
        _ = try connection.run(flight)
        progress(traffic.arrived)
    }

    private static var utcOffset: Int64 {
        var now = time(nil)
        var local = tm()
        localtime_r(&now, &local)
        return Int64(local.tm_gmtoff)
    }
}

extension Timestamp {
    fileprivate var parameter: Parameter { .int8(microsecondsSince2000) }
}

/// The statements of ``Demo``. Times are microseconds since 2000.
private enum DemoStatements {
    static let lock = Statement(
        unprepared: "LOCK TABLE assignment_gate, leads, contacts, operators, sources, operator_source_weights "
            + "IN EXCLUSIVE MODE")

    static let isEmpty = Statement(
        unprepared: """
            SELECT NOT EXISTS (SELECT FROM operators) AND NOT EXISTS (SELECT FROM sources)
                AND NOT EXISTS (SELECT FROM leads) AND NOT EXISTS (SELECT FROM contacts)
            """)

    private static func time(_ parameter: String) -> String {
        "timestamptz '2000-01-01 00:00:00+00' + \(parameter)::bigint * interval '1 microsecond'"
    }

    static let operators = Statement(
        unprepared: """
            INSERT INTO operators (id, name, max_load, created_at)
            SELECT d.id, d.name, d.max_load, \(time("$3"))
            FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS d (name, max_load, id)
            """)

    static let sources = Statement(
        unprepared: """
            INSERT INTO sources (id, name, description, strategy, sticky, created_at)
            SELECT d.id, d.name, d.description, d.strategy, d.sticky = 1, \(time("$5"))
            FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[])
                WITH ORDINALITY AS d (name, description, strategy, sticky, id)
            """)

    static let weights = Statement(
        unprepared: """
            INSERT INTO operator_source_weights (id, operator_id, source_id, weight, max_load, created_at)
            SELECT d.id, d.operator_id, d.source_id, d.weight, NULLIF(d.max_load, 0), \(time("$5"))
            FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[])
                WITH ORDINALITY AS d (operator_id, source_id, weight, max_load, id)
            """)

    /// An id that was deleted is not given again.
    static let deleteOperator = Statement(
        unprepared: "DELETE FROM operators WHERE id = $1::bigint RETURNING setval('operators_id_seq', id)")
    static let deleteSource = Statement(
        unprepared: "DELETE FROM sources WHERE id = $1::bigint RETURNING setval('sources_id_seq', id)")

    /// What strategies remember.
    static let turns = Statement(
        unprepared: """
            UPDATE operator_source_weights AS w SET credit = d.credit, given_at = \(time("d.given_at"))
            FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                AS d (source_id, operator_id, credit, given_at)
            WHERE w.source_id = d.source_id AND w.operator_id = d.operator_id
            """)

    private static let deactivate = Statement(
        "UPDATE operators SET is_active = false, updated_at = \(time("$2")) WHERE id = $1::bigint")

    private static let insertLead = Statement(
        """
        INSERT INTO leads (id, external_id, phone, email, name, created_at)
        VALUES ($1::bigint, $2::text, $3::text, $4::text, $5::text, \(time("$6")))
        """)

    private static let fillLead = Statement(
        """
        UPDATE leads SET external_id = $2::text, phone = $3::text, email = $4::text, name = $5::text,
            updated_at = \(time("$6"))
        WHERE id = $1::bigint
        """)

    private static let insertContact = Statement(
        """
        INSERT INTO contacts (id, lead_id, source_id, operator_id, message, priority, created_at)
        VALUES ($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::text, $6::integer, \(time("$7")))
        """)

    /// Tells the triggers on contacts that they are changed as by the lane, without a record of decisions.
    static let play = Statement(unprepared: "SET LOCAL leads_crm.decision = 0")

    /// Tells them why contacts are changed.
    private static let note = Statement(
        """
        SELECT set_config('leads_crm.moved', $1::bigint[]::text, true),
            set_config('leads_crm.causes', $2::text[]::text, true)
        """)

    private static let updateContacts = Statement(
        """
        UPDATE contacts AS c SET operator_id = d.operator_id, status = d.status, updated_at = \(time("$4"))
        FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS d (id, operator_id, status)
        WHERE c.id = d.id
        """)

    /// In the order in which the assignment writes: first places become free, then they are taken.
    static func writes(of step: DemoTraffic.Step) -> [Query] {
        var queries: [Query] = []
        if let leaver = step.leaver { queries.append(deactivate(.int8(leaver.rawValue), step.time.parameter)) }
        if let (lead, isNew) = step.lead {
            let statement = isNew ? insertLead : fillLead
            queries.append(
                statement(
                    .int8(lead.id.rawValue), .text(lead.identity.externalID), .text(lead.identity.phone),
                    .text(lead.identity.email), .text(lead.name), step.time.parameter))
        }
        if !step.moved.isEmpty {
            let ids = Parameter.int8Array(step.moved.map(\.id.rawValue))
            queries.append(note(ids, .textArray(step.moved.map(\.cause.rawValue))))
            queries.append(
                updateContacts(
                    ids, .int8Array(step.moved.map(\.placement.operatorID?.rawValue)),
                    .textArray(step.moved.map { ($0.placement.isActive ? ContactStatus.active : .closed).rawValue }),
                    step.time.parameter))
        }
        if let contact = step.added {
            queries.append(
                insertContact(
                    .int8(contact.id.rawValue), .int8(contact.leadID.rawValue), .int8(contact.sourceID.rawValue),
                    .int8(contact.operatorID?.rawValue), .text(contact.message), .int4(contact.priority),
                    step.time.parameter))
        }
        return queries
    }

    static let summary = Statement(
        unprepared: """
            SELECT (SELECT count(*) FROM operators), (SELECT count(*) FROM sources), (SELECT count(*) FROM leads),
                count(*), count(*) FILTER (WHERE status = 'active'),
                count(*) FILTER (WHERE status = 'active' AND operator_id IS NULL)
            FROM contacts
            """)
}
