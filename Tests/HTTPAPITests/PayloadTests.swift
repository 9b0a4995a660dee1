import Model
import Postgres
import Testing

@testable import CRM
@testable import HTTPAPI

@Suite struct PayloadTests {
    private let created = Timestamp(microsecondsSince2000: 848_743_872_123_456)
    private let updated = Timestamp(microsecondsSince2000: 848_743_873_000_000)

    private var source: Source {
        Source(id: SourceID(3), name: "Telegram Bot #1", description: "Основной бот", createdAt: created)
    }
    private var `operator`: Operator {
        Operator(
            id: OperatorID(2), name: "Иван Иванов", isActive: true, maxLoad: 15, currentLoad: 1, createdAt: created,
            updatedAt: updated)
    }
    private var lead: Lead {
        Lead(
            id: LeadID(4), identity: LeadIdentity(externalID: nil, phone: "+79001234567", email: nil),
            name: "Петр \"Петров\"", createdAt: created, updatedAt: nil)
    }
    private func contact(operatorID: OperatorID?) -> Contact {
        Contact(
            id: ContactID(5), leadID: LeadID(4), sourceID: SourceID(3), operatorID: operatorID, status: .active,
            message: nil, createdAt: created, updatedAt: nil)
    }

    private let operatorJSON = """
        {"id":2,"name":"Иван Иванов","is_active":true,"max_load":15,"created_at":"2026-11-23T10:11:12.123456Z",\
        "current_load":1,"updated_at":"2026-11-23T10:11:13Z"}
        """
    private let sourceJSON = """
        {"id":3,"name":"Telegram Bot #1","description":"Основной бот","created_at":"2026-11-23T10:11:12.123456Z",\
        "strategy":"weighted_random","sticky":false}
        """
    private let leadMembers = """
        "id":4,"external_id":null,"phone":"+79001234567","email":null,"name":"Петр \\"Петров\\"",\
        "created_at":"2026-11-23T10:11:12.123456Z","updated_at":null
        """
    private func contactMembers(operatorID: String) -> String {
        """
        "id":5,"lead_id":4,"source_id":3,"operator_id":\(operatorID),"status":"active","message":null,\
        "created_at":"2026-11-23T10:11:12.123456Z","updated_at":null,"priority":0
        """
    }

    @Test("Records are written with the fields of the contract, in its order")
    func records() {
        #expect(written(`operator`) == operatorJSON)
        #expect(written(source) == sourceJSON)
        #expect(written(lead) == "{\(leadMembers)}")
        #expect(written(contact(operatorID: nil)) == "{\(contactMembers(operatorID: "null"))}")
        let weight = OperatorSourceWeight(
            id: 1, operatorID: OperatorID(2), sourceID: SourceID(3), weight: 10, createdAt: created)
        #expect(
            written(weight) == """
                {"id":1,"operator_id":2,"source_id":3,"weight":10,"created_at":"2026-11-23T10:11:12.123456Z",\
                "max_load":null}
                """)
    }

    @Test("A contact is written with its lead, operator and source")
    func contactDetails() {
        let assigned = ContactDetails(
            contact: contact(operatorID: OperatorID(2)), lead: lead, operator: `operator`, source: source)
        #expect(
            written(assigned) == """
                {\(contactMembers(operatorID: "2")),"lead":{\(leadMembers)},"operator":\(operatorJSON),\
                "source":\(sourceJSON)}
                """)
        let waiting = ContactDetails(contact: contact(operatorID: nil), lead: lead, operator: nil, source: source)
        #expect(
            written(waiting) == """
                {\(contactMembers(operatorID: "null")),"lead":{\(leadMembers)},"operator":null,"source":\(sourceJSON)}
                """)
    }

    @Test("A lead is written with its contacts and their number")
    func leadWithContacts() {
        let contacts = [contact(operatorID: nil), contact(operatorID: OperatorID(2))]
        #expect(
            written(LeadWithContacts(lead: lead, contacts: contacts, contactsCount: 1001)) == """
                {\(leadMembers),"contacts":[{\(contactMembers(operatorID: "null"))},\
                {\(contactMembers(operatorID: "2"))}],"contacts_count":1001}
                """)
        #expect(
            written(LeadWithContacts(lead: lead, contacts: [], contactsCount: 0))
                == "{\(leadMembers),\"contacts\":[],\"contacts_count\":0}")
    }

    @Test("A count is written with the names of source and operator")
    func distributionCount() {
        let assigned = DistributionCount(
            sourceID: SourceID(3), sourceName: "Бот", operatorID: OperatorID(2), operatorName: "Иван",
            contactsCount: 25)
        #expect(
            written(assigned) == """
                {"source_id":3,"source_name":"Бот","operator_id":2,"operator_name":"Иван","contacts_count":25}
                """)
        let unassigned = DistributionCount(
            sourceID: SourceID(3), sourceName: "Бот", operatorID: nil, operatorName: nil, contactsCount: 1)
        #expect(
            written(unassigned) == """
                {"source_id":3,"source_name":"Бот","operator_id":null,"operator_name":null,"contacts_count":1}
                """)
    }

    @Test("A contact to be registered is read with its identity normalised")
    func newContact() throws {
        let read = try fields(
            """
            {"source_id": "7", "lead_external_id": "", "lead_phone": "+7 (900) 123-45.67", "lead_email": " A@B.C ",
            "lead_name": "Петр", "message": "Хочу", "unknown": [1]}
            """
        ) { NewContact(&$0) }
        let identity = LeadIdentity(externalID: nil, phone: "+79001234567", email: "a@b.c")
        #expect(read == NewContact(sourceID: SourceID(7), identity: identity, leadName: "Петр", message: "Хочу"))
    }

    @Test("What a patch leaves out or sends as null stays nil")
    func patches() throws {
        let contact = try fields(#"{"status":"closed","operator_id":null}"#) { ContactPatch(&$0) }
        #expect(contact == ContactPatch(status: .closed))
        let transfer = try fields(#"{"operator_id":3,"message":""}"#) { ContactPatch(&$0) }
        #expect(transfer == ContactPatch(operatorID: OperatorID(3), message: ""))
        let `operator` = try fields(#"{"name":null,"is_active":"off","max_load":5.0}"#) { OperatorPatch(&$0) }
        #expect(`operator` == OperatorPatch(isActive: false, maxLoad: 5))
        let source = try fields(#"{"description":"x"}"#) { SourcePatch(&$0) }
        #expect(source.name == nil && source.description == "x")
    }

    @Test("A new operator is active with room for ten, unless it is said otherwise")
    func newOperator() throws {
        let plain = try fields(#"{"name":"Иван"}"#) { NewOperator(&$0) }
        #expect(plain.name == "Иван" && plain.isActive && plain.maxLoad == 10)
        let other = try fields(#"{"name":"","is_active":false,"max_load":1}"#) { NewOperator(&$0) }
        #expect(other.name == "" && !other.isActive && other.maxLoad == 1)
    }

    @Test("Weights are 1 where none is given, and their sources need not be named")
    func weights() throws {
        let read = try fields(
            #"{"operator_weights":[{"operator_id":1},{"operator_id":2,"source_id":9,"weight":30,"max_load":5}]}"#
        ) { DistributionUpdate(&$0) }
        #expect(
            read.weights.map(\.assignment) == [
                WeightAssignment(operatorID: OperatorID(1), weight: 1),
                WeightAssignment(operatorID: OperatorID(2), weight: 30, maxLoad: 5),
            ])
        #expect(read.weights.map(\.sourceID) == [nil, SourceID(9)])
    }

    /// Reads a body that must be without faults.
    private func fields<T>(_ body: String, _ read: (inout Fields) -> T) throws -> T {
        var fields = Fields(try json(body), at: [.name("body")])
        let value = read(&fields)
        #expect(fields.faults.entries == [])
        return value
    }
}

/// The JSON of a value.
func written(_ value: some JSONEncodable) -> String {
    var writer = JSONWriter()
    value.write(to: &writer)
    return String(decoding: writer.bytes, as: UTF8.self)
}
