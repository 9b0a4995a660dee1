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
        unprepared: """
            SELECT counter, source_id, operator_id, kept, counted FROM reporting.integrity
            ORDER BY counter DESC, source_id, operator_id
            """)
}

/// Sets the counters that triggers keep to a recount. It takes the tables' owner.
public enum CounterRepair {
    /// - Throws: ``Roles/NotOwner``, ``PostgresError``; nothing was changed then.
    public static func run(on connection: inout Connection) throws {
        try Roles.requireOwner(on: &connection)
        do {
            try connection.run(script: script)
        } catch {
            try? connection.rollBack()
            throw error
        }
    }

    /// The guards refuse a load that is set by hand, and one past a `max_load`, which a recount may find.
    private static let script = """
        BEGIN;
        SET LOCAL lock_timeout = '10s';
        LOCK TABLE assignment_gate, contacts, operators, distribution_counts IN EXCLUSIVE MODE;
        ALTER TABLE operators DISABLE TRIGGER operators_no_overload;
        ALTER TABLE operators DISABLE TRIGGER operators_load_is_counted_on_update;
        UPDATE operators AS o SET current_load = d.counted
        FROM reporting.integrity AS d WHERE d.counter = 'operator load' AND d.operator_id = o.id;
        ALTER TABLE operators ENABLE TRIGGER operators_no_overload;
        ALTER TABLE operators ENABLE TRIGGER operators_load_is_counted_on_update;
        ALTER TABLE distribution_counts DISABLE TRIGGER distribution_counts_no_overload_on_insert;
        ALTER TABLE distribution_counts DISABLE TRIGGER distribution_counts_no_overload_on_update;
        UPDATE distribution_counts SET contacts_count = 0, active_count = 0;
        INSERT INTO distribution_counts (source_id, operator_id, contacts_count, active_count)
        SELECT source_id, operator_id, count(*), count(operator_id) FILTER (WHERE status = 'active')
        FROM contacts GROUP BY source_id, operator_id
        ON CONFLICT (source_id, (COALESCE(operator_id, 0)))
        DO UPDATE SET contacts_count = EXCLUDED.contacts_count, active_count = EXCLUDED.active_count;
        ALTER TABLE distribution_counts ENABLE TRIGGER distribution_counts_no_overload_on_insert;
        ALTER TABLE distribution_counts ENABLE TRIGGER distribution_counts_no_overload_on_update;
        COMMIT
        """
}
