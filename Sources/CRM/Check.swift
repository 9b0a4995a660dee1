public import Postgres

/// Compares the counters that triggers keep with a recount: what `reporting.integrity` shows, in words.
public struct Check: Transaction {
    public let isRepeatable = true

    public init() {}

    /// One line for each counter that differs; empty if all is well.
    public func run(on connection: inout Connection) throws -> [String] {
        try connection.run(Self.differences()).map { row in
            let counter = try row.next(String.self)
            let (source, operatorID) = (try row.next(Int64?.self), try row.next(Int64?.self))
            let (kept, counted) = (try row.next(Int64.self), try row.next(Int64.self))
            let whose = [source.map { "source \($0)" }, operatorID.map { "operator \($0)" } ?? "no operator"]
            return "\(whose.compactMap(\.self).joined(separator: ", ")): \(counter) is \(kept), counted are \(counted)"
        }
    }

    private static let differences = Statement(
        "check_differences", prepared: false,
        """
        SELECT counter, source_id, operator_id, kept, counted FROM reporting.integrity
        ORDER BY counter DESC, source_id, operator_id
        """)
}
