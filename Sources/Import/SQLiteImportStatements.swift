import Model
import Postgres
import Store

/// The statements of ``SQLiteImport``. Those that read many rows are planned for index look-ups, as the tables grow
/// under them without statistics.
enum SQLiteImportStatements {
    /// Behind the gate instances queue. Creating operators and sources passes no gate, hence their own locks. A
    /// hand-written transaction that stays open must not stop every instance for long, hence the limit.
    static let begin = [
        "BEGIN",
        """
        SET LOCAL lock_timeout = '10s';
        SET LOCAL statement_timeout = 0;
        SET LOCAL idle_in_transaction_session_timeout = '60s';
        SET LOCAL TimeZone = 'UTC';
        SET LOCAL DateStyle = 'ISO, YMD';
        SET LOCAL enable_seqscan = off;
        SET LOCAL enable_hashjoin = off;
        SET LOCAL enable_mergejoin = off;
        SET LOCAL jit = off
        """,
        "LOCK TABLE assignment_gate, leads, contacts, operators, sources, operator_source_weights "
            + "IN EXCLUSIVE MODE",
    ]

    /// Which of these rows are there, and whether it is they: created at the same time, as far as that is known.
    static let present = Dictionary(
        uniqueKeysWithValues: SQLiteImport.Table.allCases.map { table in
            let statement = Statement(
                """
                SELECT t.id, COALESCE(t.created_at = d.created_at::timestamptz, true)
                FROM unnest($1::bigint[], $2::text[]) AS d (id, created_at)
                JOIN \(table.rawValue) AS t ON t.id = d.id
                """)
            return (table, statement)
        })

    static let operators = Statement(
        """
        INSERT INTO operators (id, name, is_active, max_load, created_at)
        SELECT d.id, d.name, d.is_active = 1, d.max_load, COALESCE(d.created_at::timestamptz, now())
        FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::text[])
            AS d (id, name, is_active, max_load, created_at)
        """)

    /// Answers the ids that were added, with their names. Of sources that share a name, one keeps it.
    static let sources = Statement(
        """
        INSERT INTO sources (id, name, description, created_at)
        SELECT d.id,
            CASE WHEN row_number() OVER (PARTITION BY d.name ORDER BY d.id) > 1
                    OR EXISTS (SELECT FROM sources AS s WHERE s.name = d.name)
                THEN d.name || ' #' || d.id ELSE d.name END,
            d.description, COALESCE(d.created_at::timestamptz, now())
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS d (id, name, description, created_at)
        RETURNING id, name
        """)

    static let weights = Statement(
        """
        INSERT INTO operator_source_weights (id, operator_id, source_id, weight, created_at)
        SELECT d.id, d.operator_id, d.source_id, d.weight, COALESCE(d.created_at::timestamptz, now())
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[])
            AS d (id, operator_id, source_id, weight, created_at)
        """)

    /// Answers each identifier that was left out, by its column's place, and whose it is. Of leads that share one, the
    /// first keeps it.
    static let leads: Statement = {
        let identifiers = ["external_id", "phone", "email"]
        let owners = identifiers.map { column in
            """
            COALESCE((SELECT l.id FROM leads AS l WHERE l.\(column) = d.\(column)),
                first_value(d.id) OVER (PARTITION BY d.\(column) ORDER BY d.id)) AS \(column)_owner
            """
        }
        let kept = identifiers.map { "CASE WHEN d.\($0)_owner = d.id THEN d.\($0) END" }
        let leftOut = identifiers.enumerated().map { index, column in
            """
            SELECT d.id, \(index + 1), d.\(column), d.\(column)_owner
            FROM d WHERE d.\(column) IS NOT NULL AND d.\(column)_owner <> d.id
            """
        }
        return Statement(
            """
            WITH d AS (
                SELECT d.*, \(owners.joined(separator: ", "))
                FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
                    AS d (id, external_id, phone, email, name, created_at, updated_at)
            ), added AS (
                INSERT INTO leads (id, external_id, phone, email, name, created_at, updated_at)
                SELECT d.id, \(kept.joined(separator: ", ")), d.name, COALESCE(d.created_at::timestamptz, now()),
                    d.updated_at::timestamptz
                FROM d
            )
            \(leftOut.joined(separator: " UNION ALL "))
            """)
    }()

    static let contacts = Statement(
        """
        INSERT INTO contacts (id, lead_id, source_id, operator_id, status, message, created_at, updated_at)
        SELECT d.id, d.lead_id, d.source_id, d.operator_id, d.status, d.message,
            COALESCE(d.created_at::timestamptz, now()), d.updated_at::timestamptz
        FROM unnest(
                $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
            AS d (id, lead_id, source_id, operator_id, status, message, created_at, updated_at)
        """)

    /// Lets operators hold what they held, though it is more than `max_load`: until ``restoreLimits``, in the same
    /// transaction. Answers their limits.
    static let liftLimits = Statement(
        unprepared: """
            UPDATE operators AS o SET max_load = 2147483647
            FROM unnest($1::bigint[], $2::bigint[]) AS d (id, active) JOIN operators AS b ON b.id = d.id
            WHERE o.id = b.id AND b.current_load + d.active > b.max_load
            RETURNING o.id, b.max_load
            """)

    /// Answers the loads of those who hold more than they may.
    static let restoreLimits = Statement(
        unprepared: """
            WITH restored AS (
                UPDATE operators AS o SET max_load = d.max_load
                FROM unnest($1::bigint[], $2::integer[]) AS d (id, max_load) WHERE o.id = d.id
                RETURNING o.id, o.max_load, o.current_load
            )
            SELECT id, max_load, current_load FROM restored WHERE current_load > max_load ORDER BY id
            """)
}
