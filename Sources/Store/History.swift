import Distribution
public import Model
public import Postgres

extension Fetch<ContactEvent> {
    /// What became of a contact, the oldest first.
    public static func history(of id: ContactID, _ page: Page) -> Self {
        Self(Query(statement: events, parameters: page.parameters + [.int8(id.rawValue)])) { row in
            let (id, at) = (try row.next(Int64.self), try row.next(Timestamp.self))
            let former = try row.next(OperatorID?.self)
            let before = try row.next(ContactStatus?.self).map { ContactEvent.State(operatorID: former, status: $0) }
            return ContactEvent(
                id: id, at: at, before: before,
                after: ContactEvent.State(operatorID: try row.next(), status: try row.next()),
                operatorName: try row.next(), cause: try row.next(String?.self).flatMap(ContactCause.init),
                actor: try row.next())
        }
    }

    private static let events = Statement(
        """
        SELECT e.id, e.created_at, p.operator_id, p.status, e.operator_id, e.status, o.name, e.cause, e.actor
        FROM (
            SELECT * FROM contact_events AS e WHERE e.contact_id = $3::bigint AND e.id > $1::bigint
            ORDER BY e.id LIMIT $2::bigint
        ) AS e
        LEFT JOIN LATERAL (
            SELECT p.operator_id, p.status FROM contact_events AS p
            WHERE p.contact_id = e.contact_id AND p.id < e.id ORDER BY p.id DESC LIMIT 1
        ) AS p ON true
        LEFT JOIN operators AS o ON o.id = e.operator_id ORDER BY e.id
        """)
}

/// What is kept of how it was decided, each time, who gets a contact.
public struct FetchExplanations: Transaction {
    public struct Output: Sendable {
        fileprivate let contact: ContactID
        fileprivate let records: [(event: (id: Int64, at: Timestamp), record: DeskRecord)]
        fileprivate let names: [OperatorID: String]
        /// Whether there is more of it.
        public let goesOn: Bool

        /// The oldest first. It takes the more, the more operators there are and the more the transaction did.
        public var explanations: [AssignmentExplanation] {
            records.compactMap { $0.record.explanation(of: contact, names: names, event: $0.event) }
        }
    }

    public let isRepeatable = true
    private let contact: ContactID
    private let page: Page

    public init(of contact: ContactID, _ page: Page) {
        self.contact = contact
        self.page = page
    }

    /// - Throws: ``PostgresError``.
    public func run(on connection: inout Connection) throws -> Output {
        var (found, read) = (0, 0)
        let query = Query(
            statement: Self.records,
            parameters: page.parameters + [.int8(contact.rawValue), .int8(Int64(Self.sizeLimit))])
        let records = try connection.run(query).map { row in
            let event = (id: try row.next(Int64.self), at: try row.next(Timestamp.self))
            found = Int(try row.next(Int64.self))
            read += 1
            // One of a later version is passed over.
            return (try? DeskRecord(bytes: try row.next(Bytes.self).bytes)).map { (event: event, record: $0) }
        }.compactMap(\.self)
        let operators = records.reduce(into: Set<OperatorID>()) { $0.formUnion($1.record.operators) }
        let names = try connection.run(Self.names(.int8Array(operators.map(\.rawValue))))
            .map { (try $0.next(OperatorID.self), try $0.next(String.self)) }
        let byID = Dictionary(uniqueKeysWithValues: names)
        return Output(contact: contact, records: records, names: byID, goesOn: read < found)
    }

    /// Some number of bytes of records that are read for a page; an explanation takes some twenty times as much.
    private static let sizeLimit = 256 << 10

    static let records = Statement(
        """
        SELECT e.id, e.created_at, e.found, e.record
        FROM (
            SELECT e.*, count(*) OVER () AS found, sum(octet_length(e.record)) OVER (
                ORDER BY e.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
            FROM (
                SELECT e.id, e.created_at, d.record
                FROM contact_events AS e JOIN assignment_decisions AS d ON d.id = e.decision_id
                WHERE e.contact_id = $3::bigint AND e.id > $1::bigint AND e.status = 'active'
                ORDER BY e.id LIMIT $2::bigint
            ) AS e
        ) AS e
        WHERE e.size_before IS NULL OR e.size_before < $4::bigint ORDER BY e.id
        """)

    private static let names = Statement("SELECT o.id, o.name FROM operators AS o WHERE o.id = ANY ($1::bigint[])")
}
