import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// The service, for all that is not the load itself.
struct API: Sendable {
    let urls: [BaseURL]

    /// Takes a refused connection for an answer: AsyncHTTPClient would otherwise try until the timeout.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// What the service answered in the place of what was asked for.
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

    /// Any record of which nothing but the id matters.
    struct Created: Decodable, Sendable {
        let id: Int64
    }

    struct Contact: Decodable, Sendable {
        let id: Int64
        let operatorID: Int64?
        let status: String

        enum CodingKeys: String, CodingKey {
            case id, status
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

    /// Creates a record at the first instance, which no failure makes it ask twice.
    func create<Record: Decodable>(
        _ path: String, _ body: some Encodable, as type: Record.Type
    ) async throws -> Record {
        var request = HTTPClientRequest(url: urls[0].description + path)
        request.method = .POST
        request.headers = ["content-type": "application/json"]
        request.body = .bytes(try JSONEncoder().encode(body))
        return try await send(request)
    }

    /// Asks the first instance that answers.
    func get<Record: Decodable>(_ path: String, as type: Record.Type) async throws -> Record {
        var failure: (any Error)?
        for url in urls {
            do { return try await send(HTTPClientRequest(url: url.description + path)) } catch { failure = error }
        }
        throw failure!
    }

    /// Calls the body with each page of a list.
    ///
    /// - Parameters:
    ///   - path: With a query.
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

    private func send<Record: Decodable>(_ request: HTTPClientRequest) async throws -> Record {
        let answer: HTTPClientResponse
        let body: Data
        do {
            answer = try await Self.http.execute(request, timeout: .seconds(60))
            body = Data(buffer: try await answer.body.collect(upTo: 256 << 20))
        } catch {
            throw Refusal(description: "\(request.method) \(request.url): \(errorKind(error))")
        }
        guard (200...299).contains(answer.status.code) else {
            throw Refusal(
                description: "\(request.method) \(request.url): \(answer.status.code) "
                    + String(decoding: body.prefix(500), as: UTF8.self))
        }
        do { return try JSONDecoder().decode(Record.self, from: body) } catch {
            throw Refusal(
                description: "\(request.method) \(request.url): not what Leads CRM answers: "
                    + String(decoding: body.prefix(200), as: UTF8.self))
        }
    }
}
