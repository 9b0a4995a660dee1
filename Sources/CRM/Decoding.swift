import Distribution
import Postgres

extension ID: BinaryDecodable {
    public init?(binary bytes: UnsafeRawBufferPointer) {
        guard let value = Int64(binary: bytes) else { return nil }
        self.init(value)
    }
}

// Each record reads the columns named in its `columns`, in that order.

extension Operator {
    static let columns = "o.id, o.name, o.is_active, o.max_load, o.current_load, o.created_at, o.updated_at"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), name: try row.next(), isActive: try row.next(), maxLoad: try row.next(),
            currentLoad: try row.next(), createdAt: try row.next(), updatedAt: try row.next())
    }
}

extension Source {
    static let columns = "s.id, s.name, s.description, s.created_at"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), name: try row.next(), description: try row.next(), createdAt: try row.next())
    }
}

extension OperatorSourceWeight {
    static let columns = "w.id, w.operator_id, w.source_id, w.weight, w.created_at"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), operatorID: try row.next(), sourceID: try row.next(), weight: try row.next(),
            createdAt: try row.next())
    }
}

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

extension ContactStatus: BinaryDecodable {
    public init?(binary bytes: UnsafeRawBufferPointer) { self.init(rawValue: String(binary: bytes)) }
}

extension Contact {
    static let columns =
        "c.id, c.lead_id, c.source_id, c.operator_id, c.status, c.message, c.created_at, c.updated_at"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), leadID: try row.next(), sourceID: try row.next(), operatorID: try row.next(),
            status: try row.next(), message: try row.next(), createdAt: try row.next(), updatedAt: try row.next())
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
