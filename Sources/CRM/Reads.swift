public import Distribution
import Postgres

/// A part of a list, ordered by id.
public struct Page: Sendable, Equatable {
    /// The most entries.
    public var limit: Int
    /// The last id that was seen already; 0 starts at the beginning.
    public var after: Int64

    public init(limit: Int = 1000, after: Int64 = 0) {
        self.limit = limit
        self.after = after
    }

    var parameters: [Parameter] { [.int8(after), .int8(Int64(limit))] }
}

/// Which contacts to list; `nil` and `false` do not filter.
public struct ContactFilter: Sendable, Equatable {
    public var status: ContactStatus?
    public var operatorID: OperatorID?
    public var sourceID: SourceID?
    public var leadID: LeadID?
    /// Active contacts without an operator.
    public var waiting = false

    public init() {}
}

/// A read, or a write that changes no load: one flight, its rows decoded on the connection's thread.
struct Fetch<Value: Sendable>: Transaction {
    let query: Query
    let isRepeatable: Bool
    let decode: @Sendable (inout Row) throws -> Value

    init(_ query: Query, isRepeatable: Bool = true, decode: @escaping @Sendable (inout Row) throws -> Value) {
        self.query = query
        self.isRepeatable = isRepeatable
        self.decode = decode
    }

    func run(on connection: inout Connection) throws -> [Value] { try connection.run(query).map(decode) }
}

/// Leads and their contacts, in two queries of one flight.
struct FetchLeads: Transaction {
    /// Answers leads in the order of the result.
    let leads: Query
    /// The contacts of the same leads, oldest first.
    let contacts: Query
    let isRepeatable = true

    fileprivate init(leads: Query, contacts: Query) {
        self.leads = leads
        self.contacts = contacts
    }

    func run(on connection: inout Connection) throws -> [LeadWithContacts] {
        let results = try connection.run([leads, contacts])
        let contacts = Dictionary(grouping: try results[1].map { try Contact(&$0) }, by: \.leadID)
        return try results[0].map { row in
            let lead = try Lead(&row)
            return LeadWithContacts(lead: lead, contacts: contacts[lead.id] ?? [])
        }
    }
}

enum ReadStatements {
    /// Whether the session may write, and the version of the database's schema.
    static let readiness = Statement(
        "readiness",
        """
        SELECT NOT current_setting('transaction_read_only')::boolean,
            (SELECT COALESCE(max(version), 0) FROM schema_migrations)
        """)

    static let operators = Statement(
        "operators",
        "SELECT \(Operator.columns) FROM operators AS o WHERE o.id > $1::bigint ORDER BY o.id LIMIT $2::bigint")
    static let `operator` = Statement(
        "operator", "SELECT \(Operator.columns) FROM operators AS o WHERE o.id = $1::bigint")
    static let createOperator = Statement(
        "create_operator",
        """
        INSERT INTO operators AS o (name, is_active, max_load) VALUES ($1::text, $2::boolean, $3::integer)
        RETURNING \(Operator.columns)
        """)

    static let sources = Statement(
        "sources_page",
        "SELECT \(Source.columns) FROM sources AS s WHERE s.id > $1::bigint ORDER BY s.id LIMIT $2::bigint")
    static let source = Statement("source", "SELECT \(Source.columns) FROM sources AS s WHERE s.id = $1::bigint")
    static let createSource = Statement(
        "create_source",
        "INSERT INTO sources AS s (name, description) VALUES ($1::text, $2::text) RETURNING \(Source.columns)")
    static let updateSource = Statement(
        "update_source",
        """
        UPDATE sources AS s SET name = COALESCE($2::text, name), description = COALESCE($3::text, description)
        WHERE s.id = $1::bigint RETURNING \(Source.columns)
        """)

    static let distribution = Statement(
        "distribution",
        """
        SELECT \(OperatorSourceWeight.columns) FROM operator_source_weights AS w
        WHERE w.source_id = $1::bigint AND w.id > $2::bigint ORDER BY w.id LIMIT $3::bigint
        """)
    static let distributionCounts = Statement(
        "distribution_counts",
        """
        SELECT s.id, s.name, o.id, o.name, d.contacts_count
        FROM distribution_counts AS d JOIN sources AS s ON s.id = d.source_id
        LEFT JOIN operators AS o ON o.id = d.operator_id
        WHERE d.contacts_count > 0 ORDER BY s.id, o.id NULLS LAST
        """)

    static let contact = Statement(
        "contact",
        "SELECT \(ContactDetails.columns) FROM contacts AS c \(ContactDetails.joins) WHERE c.id = $1::bigint")
}

/// A `WHERE` that is put together from the filters in use, with its parameters after those of the page:
/// `$1` the last id seen, `$2` the limit.
private struct Conditions {
    private(set) var texts: [String]
    private(set) var parameters: [Parameter]
    /// Tells the combination of filters: part of the statement's name.
    private(set) var key = ""

    init(_ page: Page, id: String) {
        texts = ["\(id) > $1::bigint"]
        parameters = page.parameters
    }

    mutating func add(_ column: String, _ type: String, _ parameter: Parameter) {
        parameters.append(parameter)
        texts.append("\(column) = $\(parameters.count)::\(type)")
        key += "_\(parameters.count)\(column.prefix(4))"
    }

    mutating func add(key: String, _ text: String) {
        texts.append(text)
        self.key += key
    }

    var sql: String { texts.joined(separator: " AND ") }
}

extension Fetch<ContactDetails> {
    /// Contacts in id order.
    init(_ filter: ContactFilter, _ page: Page) {
        var conditions = Conditions(page, id: "id")
        if let id = filter.leadID { conditions.add("lead_id", "bigint", .int8(id.rawValue)) }
        if let id = filter.operatorID { conditions.add("operator_id", "bigint", .int8(id.rawValue)) }
        if let id = filter.sourceID { conditions.add("source_id", "bigint", .int8(id.rawValue)) }
        if filter.waiting { conditions.add(key: "_waiting", "operator_id IS NULL AND status = 'active'") }
        // Literals, so that the partial index of the active ones serves whatever the plan.
        if let status = filter.status { conditions.add(key: "_\(status)", "status = '\(status.rawValue)'") }

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
            "contacts\(conditions.key)",
            """
            SELECT \(ContactDetails.columns) FROM (\(branches.joined(separator: " UNION ALL "))) AS c
            \(ContactDetails.joins) ORDER BY c.id LIMIT $2
            """)
        self.init(Query(statement: statement, parameters: conditions.parameters)) { try ContactDetails(&$0) }
    }
}

extension FetchLeads {
    /// Leads in id order, with those identifiers that are given.
    init(_ filter: LeadIdentity, id: LeadID? = nil, _ page: Page) {
        var conditions = Conditions(page, id: "id")
        if let id { conditions.add("id", "bigint", .int8(id.rawValue)) }
        if let value = filter.externalID { conditions.add("external_id", "text", .text(value)) }
        if let value = filter.phone { conditions.add("phone", "text", .text(value)) }
        if let value = filter.email { conditions.add("email", "text", .text(value)) }
        let leads = "(SELECT * FROM leads WHERE \(conditions.sql) ORDER BY id LIMIT $2::bigint) AS l"
        // Lead by lead, whatever number of leads the planner expects: it may read all contacts otherwise.
        let contacts = "(SELECT * FROM contacts AS c WHERE c.lead_id = l.id OFFSET 0) AS c"
        func query(_ name: String, _ sql: String) -> Query {
            Query(statement: Statement(name + conditions.key, sql), parameters: conditions.parameters)
        }
        self.init(
            leads: query("leads", "SELECT \(Lead.columns) FROM \(leads) ORDER BY l.id"),
            contacts: query(
                "leads_contacts",
                "SELECT \(Contact.columns) FROM \(leads) CROSS JOIN LATERAL \(contacts) ORDER BY c.lead_id, c.id"
            ))
    }
}
