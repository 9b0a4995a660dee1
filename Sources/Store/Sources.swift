public import Model
import Postgres

extension Strategy: BinaryDecodable {
    public init?(binary bytes: UnsafeRawBufferPointer) { self.init(rawValue: String(binary: bytes)) }
}

extension Source {
    static let columns = "s.id, s.name, s.description, s.created_at, s.strategy, s.sticky"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), name: try row.next(), description: try row.next(), createdAt: try row.next(),
            strategy: try row.next(), isSticky: try row.next())
    }
}

extension Fetch<Source> {
    /// Sources in id order.
    public static func list(_ page: Page) -> Self {
        let query = Query(statement: Self.page, parameters: page.parameters)
        return Self(query) { try Source(&$0) }
    }

    public static func one(_ id: SourceID) -> Self { Self(byID(.int8(id.rawValue))) { try Source(&$0) } }

    /// Adds a source. Fails at the constraint `sources_name_key` if another one has the name.
    public static func add(name: String, description: String?, strategy: Strategy, isSticky: Bool) -> Self {
        Self(
            insert(.text(name), .text(description), .text(strategy.rawValue), .bool(isSticky)), isRepeatable: false
        ) { try Source(&$0) }
    }

    /// Changes a source; `nil` leaves a field as it is. Fails at the constraint `sources_name_key` if another one has the
    /// name.
    public static func update(
        _ id: SourceID, name: String?, description: String?, strategy: Strategy?, isSticky: Bool?
    ) -> Self {
        // Not repeatable: if the second time failed, nobody could say whether the first one had changed it.
        Self(
            change(
                .int8(id.rawValue), .text(name), .text(description), .text(strategy?.rawValue), .bool(isSticky)),
            isRepeatable: false
        ) { try Source(&$0) }
    }

    private static let page = Statement(
        "SELECT \(Source.columns) FROM sources AS s WHERE s.id > $1::bigint ORDER BY s.id LIMIT $2::bigint")
    private static let byID = Statement("SELECT \(Source.columns) FROM sources AS s WHERE s.id = $1::bigint")
    private static let insert = Statement(
        """
        INSERT INTO sources AS s (name, description, strategy, sticky)
        VALUES ($1::text, $2::text, $3::text, $4::boolean) RETURNING \(Source.columns)
        """)
    private static let change = Statement(
        """
        UPDATE sources AS s SET name = COALESCE($2::text, name), description = COALESCE($3::text, description),
            strategy = COALESCE($4::text, strategy), sticky = COALESCE($5::boolean, sticky)
        WHERE s.id = $1::bigint RETURNING \(Source.columns)
        """)
}

extension OperatorSourceWeight {
    static let columns = "w.id, w.operator_id, w.source_id, w.weight, w.created_at, w.max_load"
    /// How many more contacts of the source the operator of a weight `w` may hold; the greatest integer without a limit.
    static let room = """
        CASE WHEN w.max_load IS NULL THEN \(Int32.max) ELSE w.max_load - COALESCE((
            SELECT d.active_count FROM distribution_counts AS d
            WHERE d.source_id = w.source_id AND COALESCE(d.operator_id, 0) = w.operator_id), 0) END
        """

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), operatorID: try row.next(), sourceID: try row.next(), weight: try row.next(),
            createdAt: try row.next(), maxLoad: try row.next())
    }
}

extension Fetch<OperatorSourceWeight> {
    /// The weights of a source's operators, in the order of the weights' ids.
    public static func list(of id: SourceID, _ page: Page) -> Self {
        let query = Query(statement: Self.page, parameters: page.parameters + [.int8(id.rawValue)])
        return Self(query) { try OperatorSourceWeight(&$0) }
    }

    private static let page = Statement(
        """
        SELECT \(OperatorSourceWeight.columns) FROM operator_source_weights AS w
        WHERE w.source_id = $3::bigint AND w.id > $1::bigint ORDER BY w.id LIMIT $2::bigint
        """)
}

extension Fetch<DistributionCount> {
    /// The pairs of a source and an operator that have contacts.
    public static func all() -> Self {
        Self(counts()) { row in
            DistributionCount(
                sourceID: try row.next(), sourceName: try row.next(), operatorID: try row.next(),
                operatorName: try row.next(), contactsCount: try row.next())
        }
    }

    private static let counts = Statement(
        """
        SELECT s.id, s.name, o.id, o.name, d.contacts_count
        FROM distribution_counts AS d JOIN sources AS s ON s.id = d.source_id
        LEFT JOIN operators AS o ON o.id = d.operator_id
        WHERE d.contacts_count > 0 ORDER BY s.id, o.id NULLS LAST
        """)
}
