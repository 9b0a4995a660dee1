public import Model
public import Postgres

extension ContactStatus: BinaryDecodable {
    public init?(binary bytes: UnsafeRawBufferPointer) { self.init(rawValue: String(binary: bytes)) }
}

extension Contact {
    static let columns =
        "c.id, c.lead_id, c.source_id, c.operator_id, c.status, c.message, c.priority, c.created_at, c.updated_at"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), leadID: try row.next(), sourceID: try row.next(), operatorID: try row.next(),
            status: try row.next(), message: try row.next(), priority: try row.next(), createdAt: try row.next(),
            updatedAt: try row.next())
    }
}

extension ContactDetails {
    static let columns = "\(Contact.columns), \(Lead.columns), \(Source.columns), \(Operator.columns)"
    static let joins = """
        JOIN leads AS l ON l.id = c.lead_id JOIN sources AS s ON s.id = c.source_id
        LEFT JOIN operators AS o ON o.id = c.operator_id
        """

    init(_ row: inout Row) throws {
        let (contact, lead, source) = (try Contact(&row), try Lead(&row), try Source(&row))
        self.init(contact: contact, lead: lead, operator: row.isNextNull ? nil : try Operator(&row), source: source)
    }
}

extension Fetch<ContactDetails> {
    /// Contacts in id order: as many as the page has entries, or one more than its size allows.
    public static func list(_ filter: ContactFilter, _ page: Page) -> Self {
        var conditions = Conditions(page, id: "id")
        if let id = filter.leadID { conditions.add("lead_id", "bigint", .int8(id.rawValue)) }
        if let id = filter.operatorID { conditions.add("operator_id", "bigint", .int8(id.rawValue)) }
        if let id = filter.sourceID { conditions.add("source_id", "bigint", .int8(id.rawValue)) }
        if filter.waiting { conditions.add("operator_id IS NULL AND status = 'active'") }
        // Literals, so that the partial index of the active ones serves whatever the plan.
        if let status = filter.status { conditions.add("status = '\(status.rawValue)'") }

        // The indexes by operator and by source are in id order only within one status.
        let isPerStatus =
            filter.status == nil && !filter.waiting && filter.leadID == nil
            && (filter.operatorID != nil || filter.sourceID != nil)
        // Of all who wait, that by operator is; its first column is always NULL here, but the planner has to be told.
        let order = filter.waiting && filter.sourceID == nil ? "operator_id, id" : "id"
        let statuses = isPerStatus ? ContactStatus.allCases.map { " AND status = '\($0.rawValue)'" } : [""]
        let branches = statuses.map { status in
            "(SELECT * FROM contacts WHERE \(conditions.sql)\(status) ORDER BY \(order) LIMIT $2::bigint)"
        }
        let statement = Statement(
            """
            SELECT \(ContactDetails.columns)
            FROM (
                SELECT c.*, sum(octet_length(c.message)) OVER (
                    ORDER BY c.id ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS size_before
                FROM (\(branches.joined(separator: " UNION ALL "))) AS c ORDER BY c.id LIMIT $2
            ) AS c
            \(ContactDetails.joins)
            WHERE c.size_before IS NULL OR c.size_before < \(Page.sizeLimit) ORDER BY c.id
            """)
        return Self(Query(statement: statement, parameters: conditions.parameters)) { try ContactDetails(&$0) }
    }

    public static func one(_ id: ContactID) -> Self { Self(byID(.int8(id.rawValue))) { try ContactDetails(&$0) } }

    private static let byID = Statement(
        "SELECT \(ContactDetails.columns) FROM contacts AS c \(ContactDetails.joins) WHERE c.id = $1::bigint")
}

extension Fetch<ContactID> {
    /// The active contacts of an operator, in queue order.
    public static func activeContacts(of id: OperatorID) -> Self { Self(active(.int8(id.rawValue))) { try $0.next() } }

    private static let active = Statement(
        """
        SELECT id FROM contacts WHERE operator_id = $1::bigint AND status = 'active' ORDER BY priority DESC, id
        """)
}
