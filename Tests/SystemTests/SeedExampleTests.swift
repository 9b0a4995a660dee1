import Foundation
import TestSupport
import Testing

extension System {
    @Suite("The examples of the old service")
    struct SeedExamples {
        private static let createOperator = """
            curl -X POST "http://localhost:8000/api/v1/operators" \\
              -H "Content-Type: application/json" \\
              -d '{
                "name": "Иван Иванов",
                "is_active": true,
                "max_load": 15
              }'
            """
        private static let createSource = """
            curl -X POST "http://localhost:8000/api/v1/sources" \\
              -H "Content-Type: application/json" \\
              -d '{
                "name": "Telegram Bot #1",
                "description": "Основной бот"
              }'
            """
        private static let setDistribution = """
            curl -X POST "http://localhost:8000/api/v1/sources/1/distribution" \\
              -H "Content-Type: application/json" \\
              -d '{
                "operator_weights": [
                  {"operator_id": 1, "source_id": 1, "weight": 10},
                  {"operator_id": 2, "source_id": 1, "weight": 30}
                ]
              }'
            """
        private static let registerContact = """
            curl -X POST "http://localhost:8000/api/v1/contacts" \\
              -H "Content-Type: application/json" \\
              -d '{
                "source_id": 1,
                "lead_phone": "+79001234567",
                "lead_name": "Петр Петров",
                "message": "Хочу узнать о продукте"
              }'
            """

        @Test("Its curl command lines work as printed, in their order")
        func commandLines() async throws {
            try await Deployment.open { crm in
                let first = try await run(Self.createOperator, on: crm)
                #expect(first["id"] == 1)
                #expect(first["name"] == "Иван Иванов")
                #expect(first["is_active"] == true)
                #expect(first["max_load"] == 15)
                // The distribution names a second operator.
                #expect(try await run(Self.createOperator, on: crm)["id"] == 2)

                let source = try await run(Self.createSource, on: crm)
                #expect(source["id"] == 1)
                #expect(source["name"] == "Telegram Bot #1")
                #expect(source["description"] == "Основной бот")

                let weights = try await run(Self.setDistribution, on: crm)
                #expect(weights.elements.map { $0["operator_id"] } == [1, 2])
                #expect(weights.elements.map { $0["source_id"] } == [1, 1])
                #expect(weights.elements.map { $0["weight"] } == [10, 30])

                let contact = try await run(Self.registerContact, on: crm)
                #expect(contact["lead"]["phone"] == "+79001234567")
                #expect(contact["lead"]["name"] == "Петр Петров")
                #expect(contact["message"] == "Хочу узнать о продукте")
                #expect(contact["status"] == "active")
                #expect([1, 2].contains(contact["operator_id"]))
                #expect(contact["source"] == source)

                let leads = try await crm.client.get("/api/v1/leads").json
                #expect(leads[0]["contacts"][0]["id"] == contact["id"])
                let counts = try await crm.client.get("/api/v1/contacts/stats/distribution").json
                #expect(counts[0]["operator_id"] == contact["operator_id"])
                #expect(counts[0]["contacts_count"] == 1)
            }
        }

        /// Runs a command line with nothing but the address replaced.
        private func run(_ commandLine: String, on crm: Deployment) async throws -> JSON {
            let directory = try ScratchDirectory.makeSubdirectory("curl")
            let curl = try ChildProcess(
                ["sh", "-c", commandLine.replacing("http://localhost:8000", with: crm.client.baseURL)],
                in: directory, streams: .files(in: directory))
            #expect(try await curl.end() == 0)
            return try JSON(FileManager.default.contents(atPath: directory + "/stdout") ?? Data())
        }
    }
}
