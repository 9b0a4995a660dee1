import Foundation
import TestSupport
import Testing

/// A database with the instances that serve it, and psql to look behind their backs.
struct Deployment: Sendable {
    let database: TestDatabase
    let psql: Psql
    let instances: [Instance]

    /// The client of the first instance.
    var client: Client { instances[0].client }

    /// A client of each instance in turn.
    func client(_ number: Int) -> Client { instances[number % instances.count].client }

    /// Starts instances on a new database, runs the body, and looks whether the counters are right in the end.
    ///
    /// - Parameter environment: Settings of the instances.
    static func open(
        instances count: Int = 1, environment: [String: String] = [:], _ body: (Deployment) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            try await withInstances(count, on: database.serviceURL, environment: environment) { instances in
                try await body(Deployment(database: database, psql: Psql(database.url), instances: instances))
            }
            let check = try await Command.run(["check", "--database-url", database.serviceURL])
            #expect(check.status == 0, "\(check)")
        }
    }

    /// Creates an operator and returns the id.
    func newOperator(maxLoad: Int = 10, isActive: Bool = true) async throws -> Int {
        let answer = try await client.post(
            "/api/v1/operators", ["name": "Operator", "max_load": JSON(maxLoad), "is_active": .bool(isActive)])
        return try #require(answer.json["id"].int, "\(answer)")
    }

    /// Creates a source and returns the id.
    ///
    /// - Parameter operators: The ids of its operators, each with the weight 1.
    func newSource(_ operators: [Int] = []) async throws -> Int {
        let answer = try await client.post("/api/v1/sources", ["name": .string(UUID().uuidString)])
        let id = try #require(answer.json["id"].int, "\(answer)")
        if !operators.isEmpty {
            try await setWeights(of: id, Dictionary(uniqueKeysWithValues: operators.map { ($0, 1) }))
        }
        return id
    }

    func setWeights(of source: Int, _ weights: [Int: Int]) async throws {
        let answer = try await client.post(
            "/api/v1/sources/\(source)/distribution",
            [
                "operator_weights": .array(
                    weights.map { ["operator_id": JSON($0), "source_id": JSON(source), "weight": JSON($1)] })
            ])
        try #require(answer.status == 201, "\(answer)")
    }

    /// Registers contacts, many at once through all instances, and returns the ids, lowest first.
    @discardableResult
    func register(_ count: Int, at source: Int) async throws -> [Int] {
        try await inParallel(count) { number in
            let answer = try await client(number).post("/api/v1/contacts", ["source_id": JSON(source)])
            return try #require(answer.json["id"].int, "\(answer)")
        }.sorted()
    }

    /// Registers one contact and returns it.
    func registerOne(at source: Int) async throws -> JSON {
        let answer = try await client.post("/api/v1/contacts", ["source_id": JSON(source)])
        try #require(answer.status == 201, "\(answer)")
        return answer.json
    }

    /// The ids of an operator's active contacts, lowest first.
    func contacts(of operatorID: Int) async throws -> [Int] {
        try await psql.numbers(
            "SELECT id FROM contacts WHERE operator_id = \(operatorID) AND status = 'active' ORDER BY id")
    }
}

/// Starts instances, all at once, and runs the body; those that still run then are killed.
///
/// - Parameters:
///   - url: The database.
///   - environment: Settings of the instances.
func withInstances(
    _ count: Int, on url: String, environment: [String: String] = [:], _ body: ([Instance]) async throws -> Void
) async throws {
    let instances = try await inParallel(count) { _ in
        let instance = try await Instance.start(databaseURL: url, environment: environment)
        TestInstances.add(instance)
        return instance
    }
    defer { instances.forEach { $0.command.process.signal(SIGKILL) } }
    try await body(instances)
}

/// Runs a job for each number from 0 on, some at once.
///
/// - Parameter width: How many at once.
/// - Returns: The results, in the order of the numbers.
func inParallel<Result: Sendable>(
    _ count: Int, width: Int = 64, _ job: @escaping @Sendable (Int) async throws -> Result
) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (Int, Result).self) { group in
        var results = [Result?](repeating: nil, count: count)
        for number in 0..<count {
            if number >= width, let (done, result) = try await group.next() { results[done] = result }
            group.addTask { (number, try await job(number)) }
        }
        for try await (done, result) in group { results[done] = result }
        return results.compactMap(\.self)
    }
}
