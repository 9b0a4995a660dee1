import Foundation
import HTTPTypes
import Testing

@testable import HTTPAPI

@Suite struct DescriptionTests {
    private static let golden = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "openapi.json")

    @Test("The description is the one that was reviewed")
    func golden() throws {
        let document = Data(Description.document(version: "0.1.0"))
        if ProcessInfo.processInfo.environment["RENEW_OPENAPI"] == "yes" { try document.write(to: Self.golden) }
        #expect(
            try document == Data(contentsOf: Self.golden),
            "If the change is meant: RENEW_OPENAPI=yes scripts/test --filter DescriptionTests, then review the diff")
    }

    @Test("The service answers with the description, of its own version")
    func served() async throws {
        let response = try await HTTPAPITests().send(.get, "/openapi.json")
        #expect(response.text == String(decoding: Description.document(version: "1.2.3"), as: UTF8.self))
    }

    @Test("A name stands for one schema")
    func names() {
        let schemas = RouteGroup.all.flatMap { $0.routes }.flatMap { route in
            (route.success.content.map(\.schema) + [route.body?.schema].compactMap(\.self)).flatMap(\.components)
        }
        for same in Dictionary(grouping: schemas, by: \.name).values {
            #expect(same.allSatisfy { $0.definition == same[0].definition }, "\(same[0].name!)")
        }
    }

    @Test("The example of each body is read without a fault")
    func bodyExamples() async throws {
        for route in RouteGroup.all.flatMap({ $0.routes }) {
            guard let body = route.body else { continue }
            let path = route.path.text.replacing(/\{\w+\}/, with: "1")
            let response = try await HTTPAPITests().send(route.method, path, body: written(body.example))
            #expect(response.status == .serviceUnavailable, "\(route.operationID)")
        }
    }

    @Test("The example of each answer has the members that are written, in their order")
    func answerExamples() throws {
        for route in RouteGroup.all.flatMap({ $0.routes }) {
            for content in route.success.content {
                guard let example = content.example else { continue }
                try expect(example, isOf: content.schema, "\(route.operationID)")
            }
        }
    }

    private func expect(_ example: JSON, isOf schema: Schema, _ about: Comment) throws {
        let definitions = schema.components.reduce(into: [:]) { $0[$1.name!] = $1.definition }
        func expect(_ example: JSON, isOf schema: JSON) {
            if let reference = schema["$ref"]?.text {
                let name = reference.split(separator: "/").last.map(String.init)!
                expect(example, isOf: definitions[name]!)
            } else if case .array(let elements) = example {
                for element in elements { expect(element, isOf: schema["items"]!) }
            } else if let properties = schema["properties"] {
                let required = Set(schema["required"]?.elements.compactMap(\.text) ?? [])
                let names = properties.members.map(\.name).filter { required.contains($0) || example[$0] != nil }
                #expect(example.members.map(\.name) == names, about)
                for member in example.members { expect(member.value, isOf: properties[member.name]!) }
            }
        }
        expect(example, isOf: schema.json)
    }
}

extension JSON {
    fileprivate subscript(name: String) -> JSON? { members.first { $0.name == name }?.value }

    fileprivate var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }

    fileprivate var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }
}

@Suite struct ErrorCodeTests {
    @Test("Each code has a page that explains it", arguments: ErrorCode.allCases)
    func explained(_ code: ErrorCode) async throws {
        let json = try await HTTPAPITests().send(.get, "/problems/\(code.rawValue)")
        #expect(json.status == .ok)
        #expect(try await json.text.hasPrefix(#"{"code":"\#(code.rawValue)","status":\#(code.meaning.status.code),"#))
        let page = try await HTTPAPITests().send(
            .get, "/problems/\(code.rawValue)", headers: [.accept: "text/html"])
        #expect(page.headers[.contentType] == "text/html; charset=utf-8")
        #expect(page.headers[.vary] == "Accept")
        let text = page.text
        #expect(text.contains("<h1>\(code.rawValue) "))
        #expect(!text.contains("`"))
    }

    @Test("What is no code has no page")
    func unknown() async throws {
        for code in ["OPERATOR_FULL", "operatorFull", "x", "%3Cscript%3E"] {
            let response = try await HTTPAPITests().send(.get, "/problems/\(code)", headers: [.accept: "text/html"])
            #expect(response.status == .notFound)
            #expect(response.text == #"{"detail":"Not Found","code":"not_found"}"#)
        }
    }

    @Test("Each code is an error of some operation", arguments: ErrorCode.allCases)
    func described(_ code: ErrorCode) {
        #expect(RouteGroup.all.contains { $0.routes.contains { $0.errors.contains(code) } })
    }

    @Test("Only what is known to have changed nothing may be tried again")
    func retries() {
        let retried = ErrorCode.allCases.filter(\.mayBeRetried)
        #expect(
            retried == [
                .rateLimited, .tooManyConnections, .queueFull, .deadline, .databaseUnavailable, .databaseOverloaded,
                .readOnly,
                .migrationsPending, .shuttingDown,
            ])
    }
}
