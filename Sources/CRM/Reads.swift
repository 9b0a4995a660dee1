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

    /// Some size, in bytes of texts, at which a page ends though there could be more entries on it.
    public static let sizeLimit = 8 << 20

    var parameters: [Parameter] { [.int8(after), .int8(Int64(limit))] }
}

/// What a list has on a page.
public struct Listing<Element: Sendable>: Sendable {
    /// May have more elements than belong on the page: then the list goes on after it.
    public let elements: [Element]
    /// Whether the list goes on after the last of the elements.
    public let goesOn: Bool

    public init(elements: [Element], goesOn: Bool = false) {
        self.elements = elements
        self.goesOn = goesOn
    }
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

/// Leads, and then their newest contacts.
struct FetchLeads: Transaction {
    /// Answers leads with their numbers of contacts, in the order of the result.
    let leads: Query
    let isRepeatable = true

    /// The most contacts on a page: without messages they are some 5 MB of JSON.
    private static let contactLimit: Int64 = 20_000

    func run(on connection: inout Connection) throws -> Listing<LeadWithContacts> {
        let found = try connection.run(leads).map { (lead: try Lead(&$0), count: try $0.next(Int64.self)) }
        func embedded(_ count: Int64) -> Int64 { min(count, Int64(LeadWithContacts.contactLimit)) }
        var room = Self.contactLimit
        let page = found.prefix { entry in
            room -= embedded(entry.count)
            return room >= 0
        }
        let rows = try connection.run(ReadStatements.contactsOfLeads(.int8Array(page.map(\.lead.id.rawValue))))
        let contacts = Dictionary(grouping: try rows.map { try Contact(&$0) }, by: \.leadID)
        // Of the lead at which the page reached its size only some are here: it begins the next page, or is alone.
        let size = contacts.values.joined().reduce(0) { $0 + ($1.message?.utf8.count ?? 0) }
        let isWhole = size < Page.sizeLimit
        let shown = page.prefix { isWhole || contacts[$0.lead.id, default: []].count >= embedded($0.count) }
        let elements = (shown.isEmpty ? page.prefix(1) : shown).map { lead, count in
            LeadWithContacts(lead: lead, contacts: contacts[lead.id] ?? [], contactsCount: count)
        }
        return Listing(elements: elements, goesOn: elements.count < found.count)
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

    /// The newest contacts of each of some leads, oldest first, up to the size of a page.
    static let contactsOfLeads = Statement(
        "contacts_of_leads",
        """
        SELECT \(Contact.columns)
        FROM (
            SELECT c.*, sum(octet_length(c.message)) OVER (
                ORDER BY c.lead_id, c.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before
            FROM unnest($1::bigint[]) AS n (id)
            CROSS JOIN LATERAL (
                SELECT * FROM contacts AS c WHERE c.lead_id = n.id
                ORDER BY c.id DESC LIMIT \(LeadWithContacts.contactLimit)
            ) AS c
        ) AS c
        WHERE c.size_before IS NULL OR c.size_before < \(Page.sizeLimit)
        ORDER BY c.lead_id, c.id
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
    /// Contacts in id order: as many as the page has entries, or one more than its size allows.
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
            SELECT \(ContactDetails.columns)
            FROM (
                SELECT c.*, sum(octet_length(c.message)) OVER (
                    ORDER BY c.id ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS size_before
                FROM (\(branches.joined(separator: " UNION ALL "))) AS c ORDER BY c.id LIMIT $2
            ) AS c
            \(ContactDetails.joins)
            WHERE c.size_before IS NULL OR c.size_before < \(Page.sizeLimit) ORDER BY c.id
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
        let statement = Statement(
            "leads\(conditions.key)",
            """
            SELECT \(Lead.columns), (SELECT count(*) FROM contacts AS c WHERE c.lead_id = l.id)
            FROM (SELECT * FROM leads WHERE \(conditions.sql) ORDER BY id LIMIT $2::bigint) AS l ORDER BY l.id
            """)
        self.init(leads: Query(statement: statement, parameters: conditions.parameters))
    }
}
