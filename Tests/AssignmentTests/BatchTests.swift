import Assignment
import Model
import Testing

@Suite struct BatchTests {
    private let registration = AssignmentCommand.register(
        NewContact(
            sourceID: SourceID(1), identity: LeadIdentity(externalID: nil, phone: nil, email: nil), leadName: nil,
            message: nil))
    private let staffChange = AssignmentCommand.updateOperator(OperatorID(1), OperatorPatch(isActive: true))

    private func update(_ id: Int64) -> AssignmentCommand {
        .updateContact(ContactID(id), ContactPatch(status: .closed))
    }

    @Test("A batch holds registrations and updates of different contacts")
    func different() {
        let batch = Batch([update(1), registration, update(2), registration, .admitWaiting([SourceID(7)])])
        #expect(batch.commands.count == 5)
        #expect(batch.contacts == [ContactID(1), ContactID(2)])
        #expect(batch.registrations.count == 2)
        #expect(batch.sources == [SourceID(1), SourceID(7)])
        #expect(batch.staffChange == nil)
    }

    @Test("A contact that is named already ends it")
    func sameContact() {
        var batch = Batch([update(1), registration, update(1), update(2)])
        #expect(batch.commands.count == 2)
        let isAdded = batch.add(AssignmentRequest(update(1)))
        #expect(!isAdded && batch.commands.count == 2 && batch.contacts == [ContactID(1)])
    }

    @Test("A change of staff is alone")
    func staff() {
        #expect(Batch([registration, staffChange]).commands.count == 1)
        var batch = Batch([staffChange, registration])
        #expect(batch.commands.count == 1)
        #expect(batch.staffChange != nil)
        let isAdded = batch.add(AssignmentRequest(registration))
        #expect(!isAdded && batch.registrations.isEmpty)
    }
}
