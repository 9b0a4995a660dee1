import NIOCore
import NIOHTTP1
import PlainHTTP

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A client of the service for all requests but the load itself.
struct API: Sendable {
    let urls: [BaseURL]

    /// The error that a request had no answer, or another than it should have.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    struct Operator: Decodable, Sendable {
        let id: Int64
        let maxLoad: Int
        let currentLoad: Int

        enum CodingKeys: String, CodingKey {
            case id
            case maxLoad = "max_load"
            case currentLoad = "current_load"
        }
    }

    /// A record of which nothing but the id matters.
    struct Created: Decodable, Sendable {
        let id: Int64
    }

    struct Contact: Decodable, Sendable {
        let id: Int64
        let operatorID: Int64?
        let status: String
        let message: String?

        enum CodingKeys: String, CodingKey {
            case id, status, message
            case operatorID = "operator_id"
        }
    }

    struct DistributionCount: Decodable, Sendable {
        let sourceID: Int64
        let operatorID: Int64?
        let contacts: Int

        enum CodingKeys: String, CodingKey {
            case sourceID = "source_id"
            case operatorID = "operator_id"
            case contacts = "contacts_count"
        }
    }

    struct NewOperator: Encodable, Sendable {
        let name: String
        let maxLoad: Int

        enum CodingKeys: String, CodingKey {
            case name
            case maxLoad = "max_load"
        }
    }

    struct NewSource: Encodable, Sendable {
        let name: String
        let strategy: Options.Strategy
    }

    struct NewDistribution: Encodable, Sendable {
        let weights: [Weight]

        struct Weight: Encodable, Sendable {
            let operatorID: Int64
            let weight: Int

            enum CodingKeys: String, CodingKey {
                case operatorID = "operator_id"
                case weight
            }
        }

        enum CodingKeys: String, CodingKey {
            case weights = "operator_weights"
        }
    }

    /// Creates a record at the first instance. The request is never repeated.
    func create<Record: Decodable>(
        _ path: String, _ body: some Encodable, as type: Record.Type
    ) async throws -> Record {
        let document = ByteBuffer(bytes: try JSONEncoder().encode(body))
        return try await send(.POST, path, to: urls[0], document)
    }

    /// Reads from the first instance that answers.
    func get<Record: Decodable>(_ path: String, as type: Record.Type) async throws -> Record {
        var failure: (any Error)?
        for url in urls {
            do { return try await send(.GET, path, to: url) } catch { failure = error }
        }
        throw failure!
    }

    /// Calls the body with each page of a list.
    ///
    /// - Parameters:
    ///   - path: The list's path, with a query.
    ///   - id: The member by which the list is ordered.
    func pages<Record: Decodable>(
        _ path: String, by id: (Record) -> Int64, _ body: ([Record]) throws -> Void
    ) async throws {
        var last: Int64 = 0
        while true {
            let page = try await get("\(path)&limit=1000&after=\(last)", as: [Record].self)
            guard let end = page.last.map(id) else { return }
            guard end > last else { throw Refusal(description: "GET \(path): the page after \(last) ends with \(end)") }
            try body(page)
            last = end
        }
    }

    private func send<Record: Decodable>(
        _ method: HTTPMethod, _ path: String, to url: BaseURL, _ body: ByteBuffer? = nil
    ) async throws -> Record {
        func refusal(_ reason: String) -> Refusal { Refusal(description: "\(method) \(url)\(path): \(reason)") }
        let answer: HTTPAnswer
        do {
            answer = try await url.send(method, path, headers: ["content-type": "application/json"], body: body)
        } catch {
            let kind = errorKind(error)
            let remedy =
                kind == "connection refused"
                ? "\n  → nothing listens there: 'leads-crm serve' in another terminal, or name an instance with --url"
                : ""
            throw refusal("\(kind)\(remedy)")
        }
        guard (200...299).contains(answer.status) else {
            throw refusal(
                "\(answer.status) " + String(decoding: answer.body.readableBytesView.prefix(500), as: UTF8.self))
        }
        do { return try JSONDecoder().decode(Record.self, from: Data(answer.body.readableBytesView)) } catch {
            throw refusal(
                "not what Leads CRM answers: "
                    + String(decoding: answer.body.readableBytesView.prefix(200), as: UTF8.self))
        }
    }
}
