import CRM
import Model
import TestSupport
import Testing

/// Deletes beside batches that have read what goes.
@Suite struct RemovalTests {
    @Test(
        "A batch that meets an operator whom psql is deleting does not fail, and passes them over",
        arguments: [true, false])
    func operatorGoes(usesGate: Bool) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await addDesk(psql)
            try await withCRM(on: database, { $0.usesGate = usesGate }) { crm in
                try await psql.query("BEGIN")
                try await psql.query("DELETE FROM operator_source_weights WHERE operator_id = 1")
                try await psql.query("DELETE FROM operators WHERE id = 1")
                let first = Task { try await crm.register(contact("1")) }
                let second = try await crm.register(contact("2", at: 2))
                #expect(second.operator?.id == OperatorID(2))
                try await psql.query("COMMIT")
                #expect(try await first.value.operator == nil)
            }
        }
    }

    @Test(
        "A batch that meets a source that psql is deleting says so, and does not fail for others",
        arguments: [true, false])
    func sourceGoes(usesGate: Bool) async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await addDesk(psql)
            try await withCRM(on: database, { $0.usesGate = usesGate }) { crm in
                try await psql.query("BEGIN")
                try await psql.query("DELETE FROM operator_source_weights WHERE source_id = 1")
                try await psql.query("DELETE FROM sources WHERE id = 1")
                let first = Task { try await crm.register(contact("1")) }
                let second = try await crm.register(contact("2", at: 2))
                #expect(second.operator?.id == OperatorID(2))
                try await psql.query("COMMIT")
                await #expect(throws: CRMError.sourceNotFound(SourceID(1))) { try await first.value }
            }
        }
    }

    @Test("A delete waits for a registration that psql has not committed, and then tells that there is a contact")
    func contactComes() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database) { crm in
                try await psql.query("BEGIN")
                try await psql.query("INSERT INTO leads DEFAULT VALUES")
                try await psql.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1)")
                // A lock behind the gate is waited for moments, and the caller told that nothing changed.
                await #expect(throws: CRMError.unavailable(.deadline)) { try await crm.deleteOperator(OperatorID(1)) }
                try await psql.query("COMMIT")
                await #expect(throws: CRMError.operatorInUse(OperatorID(1))) {
                    try await crm.deleteOperator(OperatorID(1))
                }
                await #expect(throws: CRMError.sourceInUse(SourceID(1))) { try await crm.deleteSource(SourceID(1)) }
                try await crm.removeWeight(of: OperatorID(1), at: SourceID(1))
            }
        }
    }

    @Test("A delete waits at the gate, so that what is decided after its answer knows of it")
    func gate() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await addDesk(psql)
            try await withCRM(on: database) { crm in
                try await psql.query("BEGIN")
                try await psql.query("LOCK TABLE assignment_gate IN SHARE ROW EXCLUSIVE MODE")
                await #expect(throws: CRMError.unavailable(.deadline)) {
                    try await crm.removeWeight(of: OperatorID(1), at: SourceID(1))
                }
                try await psql.query("COMMIT")
                try await crm.removeWeight(of: OperatorID(1), at: SourceID(1))
                #expect(try await crm.register(contact(nil)).operator == nil)
            }
        }
    }
}
