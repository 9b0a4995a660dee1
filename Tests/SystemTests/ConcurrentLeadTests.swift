import TestSupport
import Testing

extension System {
    @Suite("Leads of parallel contacts")
    struct ConcurrentLeads {
        @Test(
            "50 parallel first contacts of one phone through three instances make one lead", arguments: ["on", "off"])
        func onePhone(gate: String) async throws {
            try await Deployment.open(
                instances: 3, environment: ["ASSIGNMENT_GATE": gate, "REQUEST_TIMEOUT": "60"]
            ) { crm in
                let source = try await crm.newSource()
                for round in 1...10 {
                    let leads = try await inParallel(50) { number in
                        let answer = try await crm.client(number).post(
                            "/api/v1/contacts", ["source_id": JSON(source), "lead_phone": "+7900000000\(round)"])
                        #expect(answer.status == 201, "\(answer)")
                        return answer.json["lead_id"]
                    }
                    #expect(Set(leads).count == 1, "round \(round)")
                    #expect(try await crm.psql.number("SELECT count(*) FROM leads") == round)
                    #expect(try await crm.psql.number("SELECT count(*) FROM contacts") == 50 * round)
                }
            }
        }
    }
}
