import Assignment
import Distribution
import Model
import Testing

/// What is left out for locked rows, without a database.
@Suite struct LockedRowsTests {
    private let now = Timestamp(microsecondsSince2000: 0)

    /// Operators 1 and 2; source 1 has the first, source 2 the second, source 3 both. Contact n is at source n.
    private var snapshot: Snapshot {
        var snapshot = Snapshot(now: now)
        for id in Int64(1)...2 {
            snapshot.operators[OperatorID(id)] = Operator(
                id: OperatorID(id), name: "", isActive: true, maxLoad: 9, currentLoad: 0, createdAt: now, updatedAt: nil
            )
        }
        for (source, operators) in [(1, [1]), (2, [2]), (3, [1, 2])] as [(Int64, [Int64])] {
            let id = SourceID(source)
            snapshot.sources[id] = Source(id: id, name: "", description: nil, createdAt: now)
            snapshot.shares[id] = operators.map { Desk.Share(operatorID: OperatorID($0), weight: 1) }
            let lead = Lead(
                id: LeadID(source), identity: identity("\(source)"), name: nil, createdAt: now, updatedAt: nil)
            snapshot.leads.append(lead)
            snapshot.contacts[ContactID(source)] = Snapshot.NamedContact(
                contact: Contact(
                    id: ContactID(source), leadID: lead.id, sourceID: id, operatorID: OperatorID(operators.last!),
                    status: .active, message: nil, createdAt: now, updatedAt: nil),
                lead: lead, source: snapshot.sources[id]!)
            snapshot.waiting[ContactID(10 + source)] = Desk.Placement(
                sourceID: id, operatorID: nil, isActive: true)
        }
        return snapshot
    }

    private func identity(_ phone: String?) -> LeadIdentity { LeadIdentity(externalID: nil, phone: phone, email: nil) }

    private func register(_ source: Int64, phone: String? = nil) -> AssignmentCommand {
        .register(NewContact(sourceID: SourceID(source), identity: identity(phone), leadName: nil, message: nil))
    }

    private func locked(_ change: (inout LockedRows) -> Void) -> LockedRows {
        var locked = LockedRows()
        change(&locked)
        return locked
    }

    @Test("Obstructed is who needs a locked row, or a source that a locked operator belongs to; nobody else")
    func obstructed() {
        let batch = Batch([
            register(1), register(2), register(3), register(2, phone: "1"),
            .updateContact(ContactID(1), ContactPatch(status: .closed)),
            .updateContact(ContactID(2), ContactPatch(status: .closed)),
            .updateContact(ContactID(3), ContactPatch(operatorID: OperatorID(2))), .admitWaiting([SourceID(1)]),
        ])
        let cases: [((inout LockedRows) -> Void, [Int])] = [
            ({ _ in }, []), ({ $0.operators = [OperatorID(1)] }, [0, 2, 4, 6]),
            ({ $0.operators = [OperatorID(2)] }, [1, 2, 3, 5, 6]), ({ $0.sources = [SourceID(2)] }, [1, 3, 5]),
            ({ $0.leads = [LeadID(1)] }, [3]), ({ $0.contacts = [ContactID(2)] }, [5]),
        ]
        for (change, wanted) in cases {
            var rows = locked(change)
            rows.sharing = snapshot.sharing(rows)
            #expect(snapshot.obstructed(batch, by: rows) == wanted)
        }
    }

    @Test("A change of staff is obstructed by what it names")
    func staff() {
        let rows = locked { ($0.operators, $0.sources) = ([OperatorID(1)], [SourceID(1)]) }
        let weights = [Int64(1), 2].map { WeightAssignment(operatorID: OperatorID($0), weight: 1) }
        for (command, isObstructed) in [
            (.updateOperator(OperatorID(1), OperatorPatch()), true),
            (.updateOperator(OperatorID(2), OperatorPatch()), false),
            (.setDistribution(SourceID(1), [], replacing: true), true),
            (.setDistribution(SourceID(2), weights, replacing: true), true),
            (.setDistribution(SourceID(2), [weights[1]], replacing: true), false),
        ] as [(AssignmentCommand, Bool)] { #expect(rows.obstruct(command) == isObstructed) }
    }

    @Test("A source that was seen to have a locked operator is known to be obstructed until that one is free")
    func sharing() {
        var rows = locked { $0.operators = [OperatorID(1)] }
        #expect(!rows.obstruct(register(3)))
        rows.sharing = snapshot.sharing(rows)
        #expect(rows.obstruct(register(1)) && rows.obstruct(register(3)) && !rows.obstruct(register(2)))
        rows.keep(LockedRows())
        #expect(rows.isEmpty)
    }

    @Test("Who waits is let in past what is locked, and nothing that is locked is changed")
    func admission() {
        for seed in UInt64(1)...200 {
            let cases: [((inout LockedRows) -> Void, Set<Int64>)] = [
                ({ $0.operators = [OperatorID(1)] }, [12, 13]), ({ $0.sources = [SourceID(3)] }, [11, 12]),
                ({ $0.contacts = [ContactID(12)] }, [11, 13]),
            ]
            for (change, wanted) in cases {
                var snapshot = snapshot
                snapshot.contacts = [:]
                let rows = locked(change)
                snapshot.remove(rows)
                let decision = decide(
                    Batch([.admitWaiting([1, 2, 3].map { SourceID($0) })]), snapshot, ids: [], seed: seed)
                #expect(Set(decision.changes.moves.map(\.id.rawValue)) == wanted)
                #expect(rows.operators.isDisjoint(with: decision.changes.changedLoads))
            }
        }
    }
}
