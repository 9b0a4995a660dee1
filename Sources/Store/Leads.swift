public import Model
public import Postgres

extension Lead {
    static let columns = "l.id, l.external_id, l.phone, l.email, l.name, l.created_at, l.updated_at"

    init(_ row: inout Row) throws {
        let id = try row.next(LeadID.self)
        var identity = LeadIdentity(externalID: nil, phone: nil, email: nil)
        identity.externalID = try row.next()
        identity.phone = try row.next()
        identity.email = try row.next()
        self.init(
            id: id, identity: identity, name: try row.next(), createdAt: try row.next(), updatedAt: try row.next())
    }
}

/// Leads, and then their newest contacts.
public struct FetchLeads: Transaction {
    /// Answers leads with their numbers of contacts, in the order of the result.
    let leads: Query
    public let isRepeatable = true

    /// The most contacts on a page: without messages they are some 5 MB of JSON.
    private static let contactLimit: Int64 = 20_000

    public func run(on connection: inout Connection) throws -> Listing<LeadWithContacts> {
        // One snapshot, so that the number fits the contacts.
        let found = try connection.run([Self.begin(), leads])[1].map { row in
            (lead: try Lead(&row), count: try row.next(Int64.self))
        }
        func embedded(_ count: Int64) -> Int64 { min(count, Int64(LeadWithContacts.contactLimit)) }
        var room = Self.contactLimit
        let page = found.prefix { entry in
            room -= embedded(entry.count)
            return room >= 0
        }
        let rows = try connection.run(
            [Self.newestContacts(.int8Array(page.map(\.lead.id.rawValue))), AssignmentStatements.commit()])[0]
        let contacts = Dictionary(grouping: try rows.map { try Contact(&$0) }, by: \.leadID)
        var size = 0
        var elements: [LeadWithContacts] = []
        for (lead, count) in page {
            let newest = contacts[lead.id, default: []].reversed().prefix { contact in
                size += contact.message.map(sizeAsJSON) ?? 0
                return size <= Page.sizeLimit
            }
            let isWhole = newest.count >= embedded(count)
            // The lead at which the page reaches its size begins the next page, or is alone.
            guard isWhole || elements.isEmpty else { break }
            elements.append(LeadWithContacts(lead: lead, contacts: newest.reversed(), contactsCount: count))
            guard isWhole else { break }
        }
        return Listing(elements: elements, goesOn: elements.count < found.count)
    }

    private static let begin = Statement(unprepared: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
}

/// In bytes: control characters take six, quotation marks and backslashes two.
private func sizeAsJSON(_ text: String) -> Int {
    text.utf8.reduce(0) { $0 + ($1 < 0x20 ? 6 : $1 == UInt8(ascii: "\"") || $1 == UInt8(ascii: "\\") ? 2 : 1) }
}

extension FetchLeads {
    /// Leads in id order, with those identifiers that are given.
    public init(_ filter: LeadIdentity, id: LeadID? = nil, _ page: Page) {
        var conditions = Conditions(page, id: "id")
        if let id { conditions.add("id", "bigint", .int8(id.rawValue)) }
        if let value = filter.externalID { conditions.add("external_id", "text", .text(value)) }
        if let value = filter.phone { conditions.add("phone", "text", .text(value)) }
        if let value = filter.email { conditions.add("email", "text", .text(value)) }
        let statement = Statement(
            """
            SELECT \(Lead.columns), (SELECT count(*) FROM contacts AS c WHERE c.lead_id = l.id)
            FROM (SELECT * FROM leads WHERE \(conditions.sql) ORDER BY id LIMIT $2::bigint) AS l ORDER BY l.id
            """)
        self.init(leads: Query(statement: statement, parameters: conditions.parameters))
    }

    /// The newest contacts of each of some leads, oldest first, up to the size of a page.
    static let newestContacts = Statement(
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
}
