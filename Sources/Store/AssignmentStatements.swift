import Model
import Postgres

/// The statements of the assignment transaction, in the order in which it sends them.
///
/// They are planned for index look-ups, one value at a time (see ``settings``), whatever the statistics say: a plan
/// made for an empty table stays right when the table has grown.
enum AssignmentStatements {
    // MARK: At the gate

    static func begin(_ isolation: AssignmentTransaction.Isolation) -> Query {
        Statement(unprepared: "BEGIN ISOLATION LEVEL \(isolation.rawValue)")()
    }

    /// Sets a limit for the transaction, in milliseconds: `lock_timeout`, how long the gate, and later a row, is waited for;
    /// `idle_in_transaction_session_timeout`, how long an instance may stand still between flights before PostgreSQL ends
    /// its session; `transaction_timeout`, how long all may take.
    static func limit(_ name: String, _ time: Duration) -> Query {
        Statement(unprepared: "SET LOCAL \(name) = \(time.wholeMilliseconds)")()
    }

    /// `LOCK TABLE` takes no snapshot, so that instances queue before theirs and meet no conflict after it. By these two
    /// modes others know the transaction of an instance; who takes the gate by hand takes it in another one.
    static let gate = Statement(unprepared: "LOCK TABLE assignment_gate IN SHARE ROW EXCLUSIVE MODE")
    static let openGate = Statement(unprepared: "LOCK TABLE assignment_gate IN ROW SHARE MODE")

    /// Answers the transaction's time, and the time behind the gate. Parameters: the milliseconds that each further
    /// statement may take, and wait for a lock.
    static let settings = Statement(
        """
        SELECT now(), clock_timestamp(),
            set_config('statement_timeout', $1::text, true), set_config('lock_timeout', $2::text, true),
            set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
            set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
            set_config('plan_cache_mode', 'force_generic_plan', true)
        """)

    /// Whether any contact waits.
    static let someoneWaits = Statement(
        "SELECT EXISTS (SELECT FROM contacts AS c WHERE c.status = 'active' AND c.operator_id IS NULL)")

    // MARK: First flight

    /// Answers whether the operator was activated, and whether the limit was raised.
    static let updateOperator = Statement(
        """
        UPDATE operators AS o
        SET name = COALESCE($2::text, o.name), is_active = COALESCE($3::boolean, o.is_active),
            max_load = COALESCE($4::integer, o.max_load), updated_at = now()
        FROM (SELECT id, is_active, max_load FROM operators WHERE id = $1::bigint FOR NO KEY UPDATE) AS b
        WHERE o.id = b.id RETURNING o.is_active AND NOT b.is_active, o.max_load > b.max_load
        """)

    /// Operators of `$1` that do not exist.
    static let missingOperators = Statement(
        """
        SELECT n.id FROM unnest($1::bigint[]) WITH ORDINALITY AS n (id, place)
        WHERE NOT EXISTS (SELECT FROM operators AS o WHERE o.id = n.id) ORDER BY n.place
        """)

    /// All or nothing: writes no weight when the source or one of the operators does not exist.
    static let setWeights = Statement(
        """
        INSERT INTO operator_source_weights AS w (operator_id, source_id, weight, max_load)
        SELECT d.operator_id, $1::bigint, d.weight, NULLIF(d.max_load, 0)
        FROM unnest($2::bigint[], $3::integer[], $4::integer[]) WITH ORDINALITY AS d (operator_id, weight, max_load, place)
        WHERE EXISTS (SELECT FROM sources AS s WHERE s.id = $1)
            AND NOT EXISTS (
                SELECT FROM unnest($2) AS n (id) WHERE NOT EXISTS (SELECT FROM operators AS o WHERE o.id = n.id))
        ORDER BY d.place
        ON CONFLICT ON CONSTRAINT operator_source_weights_source_id_operator_id_key
        DO UPDATE SET weight = EXCLUDED.weight, max_load = EXCLUDED.max_load, credit = NULL
        RETURNING \(OperatorSourceWeight.columns)
        """)

    static let removeOtherWeights = Statement(
        """
        DELETE FROM operator_source_weights
        WHERE source_id = $1::bigint AND operator_id <> ALL ($2::bigint[])
            AND NOT EXISTS (
                SELECT FROM unnest($2) AS n (id) WHERE NOT EXISTS (SELECT FROM operators AS o WHERE o.id = n.id))
        """)

    /// Ids for up to `$1` new contacts and their leads. Drawn behind the gate, they become visible in order.
    static let reserveIDs = Statement(
        "SELECT nextval('contacts_id_seq'), nextval('leads_id_seq') FROM generate_series(1, $1::integer)")

    static let sources = Statement(
        """
        SELECT \(Source.columns) FROM unnest($1::bigint[]) AS n (id)
        CROSS JOIN LATERAL (SELECT * FROM sources AS s WHERE s.id = n.id OFFSET 0) AS s
        """)

    /// Leads that have one of these external ids, phones, emails. If one of the sources `$4` is sticky, each with the newest
    /// contact that has an operator, and that operator: among the newest 1,000, as the others may wait.
    static let leads = Statement(
        """
        SELECT \(Lead.columns), n.id, n.operator_id FROM (
        \(["external_id", "phone", "email"].enumerated().map { index, column in
            """
            SELECT \(Lead.columns) FROM unnest($\(index + 1)::text[]) AS n (value)
            CROSS JOIN LATERAL (SELECT * FROM leads AS l WHERE l.\(column) = n.value OFFSET 0) AS l
            """
        }.joined(separator: "\nUNION\n"))
        ) AS l
        LEFT JOIN LATERAL (
            SELECT n.id, n.operator_id
            FROM (
                SELECT c.id, c.operator_id FROM contacts AS c
                WHERE c.lead_id = l.id AND (SELECT bool_or(s.sticky) FROM sources AS s WHERE s.id = ANY ($4::bigint[]))
                ORDER BY c.id DESC LIMIT 1000
            ) AS n
            WHERE n.operator_id IS NOT NULL ORDER BY n.id DESC LIMIT 1
        ) AS n ON true
        """)

    /// The contacts to be changed, locked in id order, with what their answer shows.
    static let contacts = contacts(waiting: "")
    /// The same, but for those that somebody else has locked.
    static let freeContacts = contacts(waiting: " SKIP LOCKED")

    private static func contacts(waiting: String) -> Statement {
        Statement(
            """
            SELECT \(Contact.columns), \(Lead.columns), \(Source.columns)
            FROM contacts AS c JOIN leads AS l ON l.id = c.lead_id JOIN sources AS s ON s.id = c.source_id
            WHERE c.id = ANY ($1::bigint[]) ORDER BY c.id FOR NO KEY UPDATE OF c\(waiting)
            """)
    }

    /// Which of these contacts there are, with their sources.
    static let sourcesOfContacts = Statement(
        "SELECT c.id, c.source_id FROM contacts AS c WHERE c.id = ANY ($1::bigint[])")

    /// The candidates: whoever has a weight at the sources `$1`, or those of the contacts `$2`, but only those who have room where
    /// there are more than 5,000 weights; besides, whoever has one of these contacts or is named in `$3`. Each with three arrays: the sources, the weights there, and how many more of their
    /// contacts the weight allows; who is named has 0 in all. ``lockOperators`` locks those whose load changes, and fails if
    /// one of them has changed since.
    static let candidates = Statement(
        """
        WITH touched AS (
            SELECT c.source_id, c.operator_id FROM contacts AS c WHERE c.id = ANY ($2::bigint[])
        )
        SELECT \(Operator.columns), n.source_ids, n.weights, n.rooms
        FROM (
            SELECT operator_id, array_agg(source_id) AS source_ids, array_agg(weight) AS weights, array_agg(room) AS rooms
            FROM (
                SELECT w.operator_id, w.source_id, w.weight, \(OperatorSourceWeight.room) AS room
                FROM operator_source_weights AS w
                WHERE w.source_id = ANY (ARRAY(SELECT unnest($1::bigint[]) UNION ALL SELECT source_id FROM touched))
                UNION ALL SELECT unnest($3::bigint[]), 0, 0, 0
                UNION ALL SELECT operator_id, 0, 0, 0 FROM touched
            ) AS n
            GROUP BY operator_id
        ) AS n
        JOIN operators AS o ON o.id = n.operator_id
        WHERE o.is_active AND o.current_load < o.max_load OR 0 = ANY (n.source_ids)
            OR (SELECT count(*) <= 5000 FROM (
                SELECT FROM operator_source_weights AS w
                WHERE w.source_id = ANY (ARRAY(SELECT unnest($1::bigint[]) UNION ALL SELECT source_id FROM touched))
                LIMIT 5001) AS w)
        ORDER BY o.id
        """)

    /// What the strategies of the sources `$1`, or those of the contacts `$2`, remember of all their operators, if they do.
    static let turns = Statement(
        """
        SELECT w.source_id, w.operator_id, w.credit, w.given_at
        FROM (
            SELECT unnest($1::bigint[]) AS id
            UNION SELECT c.source_id FROM contacts AS c WHERE c.id = ANY ($2::bigint[])
        ) AS n
        JOIN sources AS s ON s.id = n.id AND s.strategy <> 'weighted_random'
        JOIN operator_source_weights AS w ON w.source_id = s.id
        """)

    /// Who is first in the queue for one of those operators, with the source: at each source as many as there is room for,
    /// and `$4` more for what the batch frees. All sources together some `$5` at most, each the same number, which comes with
    /// the rows; where more wait, one more is answered. Not those of `$6`, who cannot be let in now.
    static let waiting = Statement(
        """
        WITH able AS (  -- has room, or may have some before the batch ends
            SELECT unnest($3::bigint[]) AS operator_id
            UNION SELECT c.operator_id FROM contacts AS c WHERE c.id = ANY ($2::bigint[]) AND c.operator_id IS NOT NULL
            UNION SELECT o.id
            FROM (
                SELECT DISTINCT w.operator_id
                FROM (
                    SELECT unnest($1::bigint[]) AS source_id
                    UNION SELECT c.source_id FROM contacts AS c WHERE c.id = ANY ($2)
                ) AS n JOIN operator_source_weights AS w USING (source_id)
            ) AS n JOIN operators AS o ON o.id = n.operator_id
            WHERE o.is_active AND o.current_load < o.max_load
        )
        SELECT c.id, n.source_id, n.share, c.priority
        FROM (
            SELECT n.source_id, GREATEST($5::bigint / count(*) OVER (), 1) AS share
            FROM (SELECT DISTINCT w.source_id FROM able JOIN operator_source_weights AS w USING (operator_id)) AS n
        ) AS n
        CROSS JOIN LATERAL (
            SELECT c.id, c.priority FROM contacts AS c
            WHERE c.source_id = n.source_id AND c.status = 'active' AND c.operator_id IS NULL AND c.id <> ALL ($6::bigint[])
            ORDER BY c.priority DESC, c.id
            LIMIT LEAST(n.share + 1, $4::bigint + (
                SELECT COALESCE(sum(GREATEST(LEAST(o.max_load - o.current_load, \(OperatorSourceWeight.room)), 0)), 0)
                FROM operator_source_weights AS w JOIN operators AS o ON o.id = w.operator_id
                WHERE w.source_id = n.source_id AND o.is_active))
        ) AS c
        """)

    /// The `$2` contacts that are first in the queue of each of these sources, and one more where more wait; not those of
    /// `$3`.
    static let waitingLonger = Statement(
        """
        SELECT c.id, n.id, $2::bigint, c.priority
        FROM unnest($1::bigint[]) AS n (id)
        CROSS JOIN LATERAL (
            SELECT c.id, c.priority FROM contacts AS c
            WHERE c.source_id = n.id AND c.status = 'active' AND c.operator_id IS NULL AND c.id <> ALL ($3::bigint[])
            ORDER BY c.priority DESC, c.id LIMIT $2::bigint + 1
        ) AS c
        """)

    // MARK: After a lock was not to be had

    static let beginReadCommitted = Statement(unprepared: "BEGIN ISOLATION LEVEL READ COMMITTED")
    static let endProbe = Statement(unprepared: "ROLLBACK")

    /// The rows of these that are locked: operators, sources, leads, leads to be filled, and contacts. Each table's rows are
    /// locked as the transaction does it, as far as nobody else has them.
    static let lockedRows = [
        lockedRows(of: "operators", "NO KEY UPDATE"), lockedRows(of: "sources", "KEY SHARE"),
        lockedRows(of: "leads", "KEY SHARE"), lockedRows(of: "leads", "NO KEY UPDATE"),
        lockedRows(of: "contacts", "NO KEY UPDATE"),
    ]

    private static func lockedRows(of table: String, _ strength: String) -> Statement {
        Statement(
            """
            WITH free AS (SELECT id FROM \(table) WHERE id = ANY ($1::bigint[]) FOR \(strength) SKIP LOCKED)
            SELECT id FROM \(table) WHERE id = ANY ($1) AND id NOT IN (SELECT id FROM free)
            """)
    }

    // MARK: Second flight

    /// Keeps how it was decided (`$1`, if it was), and tells the triggers on contacts: what changes now is the lane's, and why
    /// the contacts `$2` move.
    static let note = Statement(
        """
        WITH kept AS (
            INSERT INTO assignment_decisions (record) SELECT $1::bytea WHERE $1 IS NOT NULL RETURNING id)
        SELECT set_config('leads_crm.decision', COALESCE((SELECT id FROM kept), 0)::text, true),
            set_config('leads_crm.moved', $2::bigint[]::text, true), set_config('leads_crm.causes', $3::text[]::text, true)
        """)

    /// Locks the operators whose load changes, in id order, as the triggers on contacts do. Fails with 40001 if one of
    /// them has changed since the snapshot.
    static let lockOperators = Statement(
        "SELECT FROM operators WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE")

    /// Behind the gate only a hand-written change can have added one of these identifiers since the snapshot. Not
    /// `ON CONFLICT DO NOTHING`, which looks each value up once more: a tenth of a large batch's time.
    static let insertLeads = Statement(
        """
        INSERT INTO leads (id, external_id, phone, email, name)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
        """)

    static let fillLeads = Statement(
        """
        UPDATE leads AS l
        SET external_id = d.external_id, phone = d.phone, email = d.email, name = d.name, updated_at = now()
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
            AS d (id, external_id, phone, email, name)
        WHERE l.id = d.id
        """)

    /// Before ``insertContacts``: first places become free, then they are taken.
    static let updateContacts = Statement(
        """
        UPDATE contacts AS c
        SET operator_id = d.operator_id, status = d.status, message = COALESCE(d.message, c.message),
            priority = d.priority, updated_at = now()
        FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::integer[])
            AS d (id, operator_id, status, message, priority)
        WHERE c.id = d.id
        """)

    static let insertContacts = Statement(
        """
        INSERT INTO contacts (id, lead_id, source_id, operator_id, message, priority)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::integer[])
        """)

    /// What strategies are to remember of operators: credits, and when they were last given a contact, in microseconds since
    /// 2000. A row that somebody keeps locked is not waited for: where credits do not fit together, they begin anew.
    static let rememberTurns = Statement(
        """
        WITH free AS (
            SELECT w.id, d.credit, d.given_at
            FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                AS d (source_id, operator_id, credit, given_at)
            JOIN operator_source_weights AS w USING (source_id, operator_id)
            FOR NO KEY UPDATE OF w SKIP LOCKED
        )
        UPDATE operator_source_weights AS w
        SET credit = d.credit, given_at = timestamptz '2000-01-01 00:00:00+00' + d.given_at * interval '1 microsecond'
        FROM free AS d WHERE w.id = d.id
        """)

    static let commit = Statement(unprepared: "COMMIT")
}

extension Duration {
    /// In whole milliseconds, at least 1: PostgreSQL takes 0 for no limit.
    var wholeMilliseconds: Int64 { max(1, Int64(self / .milliseconds(1))) }
}
