import Model
public import Postgres

/// A read, or a write that changes no load: one flight, its rows decoded on the connection's thread.
public struct Fetch<Value: Sendable>: Transaction {
    let query: Query
    public let isRepeatable: Bool
    let decode: @Sendable (inout Row) throws -> Value

    init(_ query: Query, isRepeatable: Bool = true, decode: @escaping @Sendable (inout Row) throws -> Value) {
        self.query = query
        self.isRepeatable = isRepeatable
        self.decode = decode
    }

    public func run(on connection: inout Connection) throws -> [Value] {
        if isRepeatable { return try connection.run(query).map(decode) }
        return try connection.run([FetchStatements.lockLimit(), query])[1].map(decode)
    }
}

enum FetchStatements {
    /// A write waits for a lock for a second at most, as others queue behind it. Its flight is one transaction.
    static let lockLimit = Statement("SELECT set_config('lock_timeout', '1s', true)")
}

extension Page {
    /// The last id seen, and the limit.
    var parameters: [Parameter] { [.int8(after), .int8(Int64(limit))] }
}

/// A `WHERE` that is put together from the filters in use, with its parameters after those of the page:
/// `$1` the last id seen, `$2` the limit.
struct Conditions {
    private(set) var texts: [String]
    private(set) var parameters: [Parameter]

    init(_ page: Page, id: String) {
        texts = ["\(id) > $1::bigint"]
        parameters = page.parameters
    }

    mutating func add(_ column: String, _ type: String, _ parameter: Parameter) {
        parameters.append(parameter)
        texts.append("\(column) = $\(parameters.count)::\(type)")
    }

    mutating func add(_ text: String) { texts.append(text) }

    var sql: String { texts.joined(separator: " AND ") }
}
