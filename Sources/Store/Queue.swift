public import Model
public import Postgres

extension SourceQueue.Reason: BinaryDecodable {
    public init?(binary bytes: UnsafeRawBufferPointer) { self.init(rawValue: String(binary: bytes)) }
}

extension Fetch<SourceQueue> {
    /// The sources at which contacts wait, in id order.
    public static func list(_ page: Page) -> Self {
        Self(Query(statement: queues, parameters: page.parameters)) { row in
            SourceQueue(
                sourceID: try row.next(), sourceName: try row.next(), waiting: try row.next(),
                oldestCreatedAt: try row.next(), oldestAge: try row.next(), reason: try row.next())
        }
    }

    /// By the index of the waiting ones: counting reads no contact.
    private static let queues = Statement(
        """
        SELECT s.id, s.name, w.waiting, c.created_at,
            GREATEST(round(extract(epoch FROM now() - c.created_at), 3), 0)::float8,
            (SELECT CASE
                WHEN count(*) = 0 THEN 'no_operators'
                WHEN NOT bool_or(o.is_active) THEN 'none_active'
                WHEN NOT bool_or(o.is_active AND o.current_load < o.max_load AND \(OperatorSourceWeight.room) > 0) THEN 'all_full' END
            FROM operator_source_weights AS w JOIN operators AS o ON o.id = w.operator_id WHERE w.source_id = s.id)
        FROM (
            SELECT s.id, s.name FROM sources AS s
            WHERE s.id > $1::bigint AND EXISTS (
                SELECT FROM contacts AS c WHERE c.source_id = s.id AND c.status = 'active' AND c.operator_id IS NULL)
            ORDER BY s.id LIMIT $2::bigint
        ) AS s
        CROSS JOIN LATERAL (
            SELECT count(*) AS waiting, min(c.id) AS oldest FROM contacts AS c
            WHERE c.source_id = s.id AND c.status = 'active' AND c.operator_id IS NULL) AS w
        JOIN contacts AS c ON c.id = w.oldest ORDER BY s.id
        """)
}

/// The order in which contacts that wait at a source are let in: the one place for reads of it.
private enum QueueOrder {
    static let columns = "c.priority DESC, c.id"
    /// Whether a contact comes after the one whose id is `$1`, which may have been let in meanwhile.
    static let comesAfter = """
        (-c.priority, c.id) > (
            COALESCE((SELECT -p.priority FROM contacts AS p WHERE p.id = $1::bigint), -10), $1::bigint)
        """
}

extension Fetch<QueuedContact> {
    /// Contacts that wait at a source, in the order of its queue: as many as the page has entries, or one more than its size
    /// allows.
    public static func list(at id: SourceID, _ page: Page) -> Self {
        Self(Query(statement: waiting, parameters: page.parameters + [.int8(id.rawValue)])) { row in
            let position = try row.next(Int64.self)
            return QueuedContact(details: try ContactDetails(&row), position: position)
        }
    }

    private static let isWaiting = "c.source_id = $3::bigint AND c.status = 'active' AND c.operator_id IS NULL"

    static let waiting = Statement(
        """
        SELECT c.place + (SELECT count(*) FROM contacts AS c WHERE \(isWaiting) AND NOT \(QueueOrder.comesAfter)),
            \(ContactDetails.columns)
        FROM (
            SELECT c.*, row_number() OVER queue AS place, sum(octet_length(c.message)) OVER (
                queue ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS size_before
            FROM (
                SELECT * FROM contacts AS c WHERE \(isWaiting) AND \(QueueOrder.comesAfter)
                ORDER BY \(QueueOrder.columns) LIMIT $2::bigint
            ) AS c
            WINDOW queue AS (ORDER BY \(QueueOrder.columns))
        ) AS c
        \(ContactDetails.joins)
        WHERE c.size_before IS NULL OR c.size_before < \(Page.sizeLimit) ORDER BY c.place
        """)
}
