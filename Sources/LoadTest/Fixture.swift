/// The operators and sources of one run, created for it.
struct Fixture: Sendable {
    /// Eight digits that tell the run from others, in the names of its records and the phones of its leads.
    let run: String
    let operators: [Int64]
    let sources: [Source]
    let maxLoad: Int
    let strategy: Options.Strategy

    struct Source: Sendable {
        let id: Int64
        /// The weight of each operator, in the order of ``Fixture/operators``.
        let weights: [Int]
    }

    /// Creates operators and sources with weights 1, 2, 3 and 4, so that the shares can be told apart.
    static func create(_ options: Options, with api: API) async throws -> Fixture {
        // Not from the seed: the same run may be made again on the same database.
        let run = String(Int.random(in: 10_000_000...99_999_999))
        var operators: [Int64] = []
        for number in 1...options.operators {
            let new = API.NewOperator(name: "Load test \(run), operator \(number)", maxLoad: options.maxLoad)
            operators.append(try await api.create("/api/v1/operators", new, as: API.Created.self).id)
        }
        var sources: [Source] = []
        for number in 1...options.sources {
            let new = API.NewSource(name: "Load test \(run), source \(number)", strategy: options.strategy)
            let id = try await api.create("/api/v1/sources", new, as: API.Created.self).id
            let weights = operators.indices.map { ($0 + number - 1) % 4 + 1 }
            let distribution = API.NewDistribution(
                weights: zip(operators, weights).map { .init(operatorID: $0, weight: $1) })
            _ = try await api.create("/api/v1/sources/\(id)/distribution", distribution, as: [API.Created].self)
            sources.append(Source(id: id, weights: weights))
        }
        return Fixture(
            run: run, operators: operators, sources: sources, maxLoad: options.maxLoad, strategy: options.strategy)
    }

    /// Reads the operators as they are now.
    func operators(_ api: API) async throws -> [API.Operator] {
        let own = Set(operators)
        var found: [API.Operator] = []
        var last = operators.min()! - 1
        // Others may have created operators since: it reads no further than the last of these.
        while last < operators.max()! {
            let page = try await api.get("/api/v1/operators?limit=1000&after=\(last)", as: [API.Operator].self)
            guard let end = page.last?.id, end > last else { break }
            found += page.filter { own.contains($0.id) }
            last = end
        }
        return found
    }
}
