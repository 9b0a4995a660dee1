import Assignment
import Model
import Testing

@Suite struct LeadMatchingTests {
    private let now = Timestamp(microsecondsSince2000: 7)

    private func lead(_ id: Int64, _ externalID: String?, _ phone: String?, _ email: String?, name: String? = nil)
        -> Lead
    {
        Lead(
            id: LeadID(id), identity: LeadIdentity(externalID: externalID, phone: phone, email: email), name: name,
            createdAt: Timestamp(microsecondsSince2000: 0), updatedAt: nil)
    }

    private func contact(_ externalID: String?, _ phone: String?, _ email: String?, name: String? = nil) -> NewContact {
        NewContact(
            sourceID: SourceID(1), identity: LeadIdentity(externalID: externalID, phone: phone, email: email),
            leadName: name, message: nil)
    }

    @Test(
        "Identifiers are normalised before they are compared",
        arguments: [
            ("", "", "", nil, nil, nil),
            ("  x ", "+7 (900) 123-45.67", " Ann@Example.ORG\n", "  x ", "+79001234567", "ann@example.org"),
            ("A", "[7]{8}\u{2013}9\u{00A0}0", "Ä@Ö.DE", "A", "7890", "ä@ö.de"),
            ("0", "--", "   ", "0", nil, nil),
            // As people copy them: marks of direction, zero-width and soft characters, other widths and scripts.
            ("", "\u{202A}+7\u{200B}9\u{AD}0\u{2060}0\u{202C}\u{FEFF}", "", nil, "+7900", nil),
            ("", "\u{FF0B}\u{FF17}\u{FF08}\u{FF19}\u{FF09}\u{FF0D}\u{FF10}\u{FF0E}\u{FF11}", "", nil, "+7901", nil),
            ("", "\u{661}\u{6F2}\u{969}\u{1D7F0}", "", nil, "1234", nil),
            ("", "\u{200E}\u{FE0F}", "", nil, nil, nil),
            ("", "8 900", "", nil, "8900", nil),
            ("", "", "q\u{307}\u{f73}", nil, nil, "q\u{f71}\u{f72}\u{307}"),
            ("e\u{301}", "7\u{438}\u{306}", "E\u{301}@\u{438}\u{306}.ru", "e\u{301}", "7\u{439}", "\u{e9}@\u{439}.ru"),
        ])
    func normalising(
        externalID: String?, phone: String?, email: String?, wantedID: String?, wantedPhone: String?,
        wantedEmail: String?
    ) {
        let identity = LeadIdentity(externalID: externalID, phone: phone, email: email)
        // The texts are compared byte by byte, because `==` would not tell the forms of Unicode apart.
        #expect(identity.externalID.map { Array($0.utf8) } == wantedID.map { Array($0.utf8) })
        #expect(identity.phone.map { Array($0.utf8) } == wantedPhone.map { Array($0.utf8) })
        #expect(identity.email.map { Array($0.utf8) } == wantedEmail.map { Array($0.utf8) })
    }

    @Test("The external id decides before the phone, the phone before the email")
    func priority() {
        var book = LeadBook([lead(1, "a", nil, nil), lead(2, nil, "2", nil), lead(3, nil, nil, "c@c")])
        #expect(book.lead(for: contact("a", "2", "c@c"), newID: LeadID(9), now: now) == LeadID(1))
        #expect(book.lead(for: contact("b", "2", "c@c"), newID: LeadID(9), now: now) == LeadID(2))
        #expect(book.lead(for: contact(nil, "3", "c@c"), newID: LeadID(9), now: now) == LeadID(3))
        #expect(book.lead(for: contact(nil, "4", "d@d"), newID: LeadID(9), now: now) == LeadID(9))
    }

    @Test("A match fills empty fields, overwrites none, and takes nothing that is another lead's")
    func filling() throws {
        var book = LeadBook([lead(1, "a", nil, "a@a", name: "Ann"), lead(2, nil, "2", nil)])
        _ = book.lead(for: contact("a", "2", "b@b", name: "Bob"), newID: LeadID(9), now: now)
        #expect(book.leads[LeadID(1)] == lead(1, "a", nil, "a@a", name: "Ann"), "nothing was free to take")
        #expect(book.filled.isEmpty)
        _ = book.lead(for: contact(nil, "2", "b@b", name: "Bob"), newID: LeadID(9), now: now)
        let second = try #require(book.leads[LeadID(2)])
        #expect(second.identity == LeadIdentity(externalID: nil, phone: "2", email: "b@b"))
        #expect(second.name == "Bob")
        #expect(second.updatedAt == now)
        #expect(book.filled == [LeadID(2)])
    }

    @Test("Within a batch a lead is made once, and filled by those that follow")
    func oneBatch() {
        var book = LeadBook([])
        #expect(book.lead(for: contact(nil, "1", nil), newID: LeadID(1), now: now) == LeadID(1))
        #expect(book.lead(for: contact(nil, "1", "e@e"), newID: LeadID(2), now: now) == LeadID(1))
        #expect(book.lead(for: contact(nil, nil, "e@e"), newID: LeadID(3), now: now) == LeadID(1))
        #expect(book.added == [LeadID(1)])
        #expect(book.filled.isEmpty, "its row is not there yet to be filled")
        #expect(book.leads[LeadID(1)]?.updatedAt == nil)
    }

    @Test("External ids that only look equal belong to different leads, as they do in PostgreSQL")
    func bytewise() {
        var book = LeadBook([lead(1, "\u{e9}", nil, nil)])
        #expect(book.lead(for: contact("e\u{301}", "1", nil), newID: LeadID(2), now: now) == LeadID(2))
        #expect(book.lead(for: contact("\u{e9}", nil, nil), newID: LeadID(3), now: now) == LeadID(1))
        #expect(book.lead(for: contact("e\u{301}", nil, nil), newID: LeadID(4), now: now) == LeadID(2))
    }

    @Test("Without any identifier each contact has a lead of its own")
    func anonymous() {
        var book = LeadBook([lead(1, nil, nil, nil)])
        #expect(book.lead(for: contact(nil, nil, nil, name: "N"), newID: LeadID(2), now: now) == LeadID(2))
        #expect(book.lead(for: contact(nil, nil, nil, name: "N"), newID: LeadID(3), now: now) == LeadID(3))
    }
}
