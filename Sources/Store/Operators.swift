public import Model
import Postgres

extension Operator {
    static let columns = "o.id, o.name, o.is_active, o.max_load, o.current_load, o.created_at, o.updated_at"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), name: try row.next(), isActive: try row.next(), maxLoad: try row.next(),
            currentLoad: try row.next(), createdAt: try row.next(), updatedAt: try row.next())
    }
}

extension Fetch<Operator> {
    /// Operators in id order.
    public static func list(_ page: Page) -> Self {
        let query = Query(statement: Self.page, parameters: page.parameters)
        return Self(query) { try Operator(&$0) }
    }

    public static func one(_ id: OperatorID) -> Self { Self(byID(.int8(id.rawValue))) { try Operator(&$0) } }

    /// Adds an operator.
    ///
    /// - Parameter maxLoad: At least 1.
    public static func add(name: String, isActive: Bool, maxLoad: Int32) -> Self {
        Self(insert(.text(name), .bool(isActive), .int4(maxLoad)), isRepeatable: false) { try Operator(&$0) }
    }

    private static let page = Statement(
        "SELECT \(Operator.columns) FROM operators AS o WHERE o.id > $1::bigint ORDER BY o.id LIMIT $2::bigint")
    private static let byID = Statement("SELECT \(Operator.columns) FROM operators AS o WHERE o.id = $1::bigint")
    private static let insert = Statement(
        """
        INSERT INTO operators AS o (name, is_active, max_load) VALUES ($1::text, $2::boolean, $3::integer)
        RETURNING \(Operator.columns)
        """)
}
