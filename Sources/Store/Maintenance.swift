public import Model
public import Postgres

/// Work on the database that one instance does now and then, whichever comes when it is due.
public struct MaintenanceJob: Sendable {
    public let name: String
    public let interval: Duration
    /// Does a part of the work, short enough that nobody waits for it, and answers how many rows it was.
    let step: Query
    /// How many rows a part has, unless it is the last one.
    let stepSize: Int64

    /// A batch is asked for within seconds after its COMMIT, if at all.
    public static let forgetBatches = MaintenanceJob(
        name: "forget_batches", interval: .seconds(60),
        step: Statement(
            """
            WITH old AS (
                SELECT id FROM assignment_batches WHERE created_at < now() - interval '1 hour'
                ORDER BY created_at LIMIT 5000),
            removed AS (DELETE FROM assignment_batches AS b USING old WHERE b.id = old.id RETURNING b.id)
            SELECT count(*) FROM removed
            """)(), stepSize: 5000)

    /// - Parameter time: How long answers are kept for requests that may be repeated.
    public static func forgetAnswers(after time: Duration) -> MaintenanceJob {
        MaintenanceJob(
            name: "forget_answers", interval: min(.seconds(60), time),
            step: Statement(
                """
                WITH old AS (
                    -- All that is kept of a key goes together: the rest would be taken for another request's.
                    SELECT key, entry FROM idempotency_keys AS k
                    WHERE created_at < now() - $1::bigint * interval '1 millisecond' AND NOT EXISTS (
                        SELECT FROM idempotency_keys AS n
                        WHERE n.key = k.key AND n.created_at >= now() - $1 * interval '1 millisecond')
                    ORDER BY created_at DESC LIMIT 1000),
                removed AS (
                    DELETE FROM idempotency_keys AS k USING old
                    WHERE k.key = old.key AND k.entry = old.entry RETURNING true)
                SELECT count(*) FROM removed
                """)(.int8(time.wholeMilliseconds)), stepSize: 1000)
    }

    /// - Parameter time: How long it is kept how contacts were assigned.
    public static func forgetDecisions(after time: Duration) -> MaintenanceJob {
        MaintenanceJob(
            name: "forget_decisions", interval: min(.seconds(60), time),
            step: Statement(
                """
                WITH oldest AS (SELECT id, created_at FROM assignment_decisions ORDER BY id LIMIT 1000),
                removed AS (
                    DELETE FROM assignment_decisions AS d USING oldest
                    WHERE d.id = oldest.id AND oldest.created_at < now() - $1::bigint * interval '1 millisecond'
                    RETURNING true)
                SELECT count(*) FROM removed
                """)(.int8(time.wholeMilliseconds)), stepSize: 1000)
    }
}

extension Fetch<SourceID> {
    /// The sources at which contacts wait though an operator has room.
    public static func backlog() -> Self { Self(waitingBesideRoom()) { try $0.next() } }

    /// Where nobody waits the first condition answers at once, by an index.
    private static let waitingBesideRoom = Statement(
        """
        SELECT DISTINCT w.source_id FROM operator_source_weights AS w JOIN operators AS o ON o.id = w.operator_id
        WHERE EXISTS (SELECT FROM contacts AS c WHERE c.status = 'active' AND c.operator_id IS NULL)
            AND o.is_active AND o.current_load < o.max_load AND \(OperatorSourceWeight.room) > 0
            AND EXISTS (
                SELECT FROM contacts AS c
                WHERE c.source_id = w.source_id AND c.status = 'active' AND c.operator_id IS NULL)
        """)
}

/// Takes a job, if it is due: then it is nobody else's until it is due again.
public struct ClaimMaintenance: Transaction {
    public let isRepeatable = true
    private let name: String
    private let interval: Duration

    public init(_ name: String, every interval: Duration) {
        self.name = name
        self.interval = interval
    }

    /// - Returns: Whether it was due.
    public func run(on connection: inout Connection) throws -> Bool {
        try connection.run(Self.claim(.text(name), .int8(Int64(interval / .milliseconds(1))))).count > 0
    }

    /// The lease ends by itself: an instance that dies with it leaves the job to the next one that finds it due. One that
    /// ends later than any would is of a clock that was set back since.
    private static let claim = Statement(
        """
        INSERT INTO maintenance_jobs AS j (name, due_at) VALUES ($1::text, now() + $2::bigint * interval '1 millisecond')
        ON CONFLICT ON CONSTRAINT maintenance_jobs_pkey DO UPDATE SET due_at = EXCLUDED.due_at
        WHERE j.due_at <= now() OR j.due_at > EXCLUDED.due_at + interval '1 second'
        RETURNING true
        """)
}

/// Does a part of a job.
public struct Maintain: Transaction {
    public let isRepeatable = true
    private let job: MaintenanceJob

    public init(_ job: MaintenanceJob) { self.job = job }

    /// - Returns: Whether there may be more to do.
    public func run(on connection: inout Connection) throws -> Bool {
        try connection.run(job.step).first { try $0.next(Int64.self) }! >= job.stepSize
    }
}
