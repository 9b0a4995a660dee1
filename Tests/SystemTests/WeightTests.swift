import TestSupport
import Testing

extension System {
    /// A sample of a fair choice passes the bound of 99.9 % but for one in a thousand. Only two samples in a row
    /// beyond it are a failure: a false alarm comes once in a million runs, and a wrong choice, whose statistic over
    /// 20,000 contacts is in the hundreds, passes neither.
    @Suite("Weights")
    struct Weights {
        /// Chi-square with one degree of freedom: what 99.9 % of all samples stay below.
        private static let bound = 10.828

        @Test("Weights 10 and 30 give two operators a quarter and three quarters of 20,000 contacts")
        func shares() async throws {
            try await expectBelowBound {
                try await sample(maxLoadOfTheSecond: 1_000_000) { crm, anna, boris in
                    (try await crm.contacts(of: anna).count, try await crm.contacts(of: boris).count)
                }
            }
        }

        @Test("So they do until one operator is full; then the other gets every contact")
        func untilFull() async throws {
            try await expectBelowBound {
                try await sample(maxLoadOfTheSecond: 7_500) { crm, anna, boris in
                    let (annas, boriss) = (try await crm.contacts(of: anna), try await crm.contacts(of: boris))
                    #expect(boriss.count == 7_500)
                    #expect(annas.count == 12_500)
                    // Ids are in the order of assignment.
                    return (annas.count { $0 < boriss.last! }, boriss.count)
                }
            }
        }

        /// Registers 20,000 contacts at a source of two operators with weights 10 and 30, and counts.
        private func sample(
            maxLoadOfTheSecond: Int, count: @escaping (Deployment, Int, Int) async throws -> (Int, Int)
        ) async throws -> (Int, Int) {
            var counts = (0, 0)
            try await Deployment.open { crm in
                let anna = try await crm.newOperator(maxLoad: 1_000_000)
                let boris = try await crm.newOperator(maxLoad: maxLoadOfTheSecond)
                let source = try await crm.newSource()
                try await crm.setWeights(of: source, [anna: 10, boris: 30])
                let body = Array(#"{"source_id": \#(source)}"#.utf8)
                _ = try await inParallel(20_000, width: 128) { _ in
                    let answer = try await crm.client.send(
                        "POST", "/api/v1/contacts", headers: ["content-type": "application/json"], body: body)
                    #expect(answer.status == 201, "\(answer)")
                }
                counts = try await count(crm, anna, boris)
            }
            return counts
        }

        private func expectBelowBound(_ sample: () async throws -> (Int, Int)) async throws {
            var statistics: [Double] = []
            repeat {
                let (first, second) = try await sample()
                let total = Double(first + second)
                let (expectedFirst, expectedSecond) = (total * 0.25, total * 0.75)
                let statistic =
                    (Double(first) - expectedFirst) * (Double(first) - expectedFirst) / expectedFirst
                    + (Double(second) - expectedSecond) * (Double(second) - expectedSecond) / expectedSecond
                guard statistic > Self.bound else { return }
                statistics.append(statistic)
            } while statistics.count < 2
            Issue.record("chi-square is \(statistics), beyond \(Self.bound)")
        }
    }
}
