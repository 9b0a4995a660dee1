import TestSupport
import Testing

extension System {
    @Suite("A killed instance")
    struct Crash {
        @Test(
            "After kill -9 in the middle of a burst what was acknowledged is there once, and the others go on",
            arguments: ["on", "off"])
        func kill(gate: String) async throws {
            try await Deployment.open(
                instances: 3, environment: ["ASSIGNMENT_GATE": gate, "REQUEST_TIMEOUT": "60"]
            ) { crm in
                // The operators have room for all, because a contact that waits may get an operator after it was acknowledged.
                let operators = try await inParallel(5) { _ in try await crm.newOperator(maxLoad: 100_000) }
                let source = try await crm.newSource(operators)
                let traffic = RegistrationTraffic(crm.instances.map(\.client), source: source)
                try await LoadWatch(crm.database).watching {
                    try await traffic.flow(width: 60) {
                        try await traffic.advance(by: 300)
                        try await crm.instances[0].kill()
                        try await traffic.advance(by: 300)
                    }
                }
                #expect(traffic.unanswered(by: 0) > 0, "the instance was killed in the middle of the burst")
                #expect(traffic.unanswered(by: 1) + traffic.unanswered(by: 2) == 0)
                #expect(traffic.refusals.isEmpty, "\(traffic.refusals)")
                try await traffic.expectStored(crm.psql)
            }
        }
    }
}
