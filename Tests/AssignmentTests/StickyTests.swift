import Assignment
import Distribution
import Model
import Testing

/// Who comes back to a sticky source, as a batch and its snapshot tell.
@Suite struct StickyTests {
    private let now = Timestamp(microsecondsSince2000: 0)

    /// Operators 1 to 3 with one place each at source 1, which is sticky; source 2 is not, and has 2 and 3. Lead 1 has the
    /// phone 1, and operator 3 their last contact, 10.
    private func snapshot(naming contacts: [Int64] = []) -> Snapshot {
        var snapshot = Snapshot(now: now)
        for id in Int64(1)...3 {
            snapshot.operators[OperatorID(id)] = Operator(
                id: OperatorID(id), name: "", isActive: true, maxLoad: 2, currentLoad: id == 3 ? 1 : 0, createdAt: now,
                updatedAt: nil)
        }
        for id in Int64(1)...2 {
            snapshot.sources[SourceID(id)] = Source(
                id: SourceID(id), name: "", description: nil, createdAt: now, isSticky: id == 1)
            // By chance nobody but the first would be picked.
            snapshot.shares[SourceID(id)] = (id...3).map {
                Desk.Share(operatorID: OperatorID($0), weight: $0 == id ? .max : 1)
            }
        }
        let lead = Lead(id: LeadID(1), identity: identity(1), name: nil, createdAt: now, updatedAt: nil)
        snapshot.leads = [lead]
        snapshot.lastContacts = [lead.id: (ContactID(10), OperatorID(3))]
        for id in contacts {
            snapshot.contacts[ContactID(id)] = Snapshot.NamedContact(
                contact: Contact(
                    id: ContactID(id), leadID: lead.id, sourceID: SourceID(2),
                    operatorID: id == 10 ? OperatorID(3) : nil,
                    status: .active, message: nil, createdAt: now, updatedAt: nil),
                lead: lead, source: snapshot.sources[SourceID(2)]!)
        }
        return snapshot
    }

    private func identity(_ phone: Int) -> LeadIdentity {
        LeadIdentity(externalID: nil, phone: "\(phone)", email: nil)
    }

    private func register(at source: Int64, phone: Int) -> AssignmentCommand {
        .register(NewContact(sourceID: SourceID(source), identity: identity(phone), leadName: nil, message: nil))
    }

    /// The operators of the contacts, in the order of their commands.
    private func operators(_ commands: [AssignmentCommand], naming contacts: [Int64] = []) -> [Int64?] {
        let batch = Batch(commands)
        let ids = (0..<Int64(batch.registrations.count)).map {
            NewIDs(contact: ContactID(100 + $0), lead: LeadID(100 + $0))
        }
        return decide(batch, snapshot(naming: contacts), ids: ids, seed: 1).answers.map {
            guard case .success(.contact(let details)) = $0 else { return -1 }
            return details.contact.operatorID?.rawValue
        }
    }

    @Test("A lead who comes back goes to the operator of the last contact, at a sticky source only")
    func comesBack() {
        #expect(operators([register(at: 1, phone: 1)]) == [3])
        #expect(operators([register(at: 2, phone: 1)]) == [2], "not sticky")
        #expect(operators([register(at: 1, phone: 2)]) == [1], "somebody else")
        #expect(
            operators([register(at: 1, phone: 1), register(at: 1, phone: 1)]) == [3, 1], "then operator 3 is full")
    }

    @Test("What the same batch has done before counts: new contacts, and transfers")
    func withinTheBatch() {
        #expect(
            operators([register(at: 2, phone: 5), register(at: 2, phone: 1), register(at: 1, phone: 5)]) == [2, 2, 1],
            "operator 2 is full")
        #expect(operators([register(at: 2, phone: 5), register(at: 1, phone: 5)]) == [2, 2])
        let transfer = AssignmentCommand.updateContact(ContactID(10), ContactPatch(operatorID: OperatorID(2)))
        #expect(operators([transfer, register(at: 1, phone: 1)], naming: [10]) == [2, 2])
        let given = AssignmentCommand.updateContact(ContactID(11), ContactPatch(operatorID: OperatorID(2)))
        #expect(operators([given, register(at: 1, phone: 1)], naming: [11]) == [2, 2])
        let older = AssignmentCommand.updateContact(ContactID(9), ContactPatch(operatorID: OperatorID(2)))
        #expect(operators([older, register(at: 1, phone: 1)], naming: [9]) == [2, 3], "an older contact")
    }
}
