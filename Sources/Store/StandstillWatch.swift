public import Postgres

/// Looks for instances that stand still in their transaction, with the gate or with rows that others need, and ends their
/// sessions: what they had not committed is undone, and run again by themselves or by their clients.
///
/// To be asked by who waits. Two looks in a row must find a session at the same place, as one that works for long may wait
/// for its client for a moment just when it is looked at.
public struct StandstillWatch: Sendable {
    private let patience: Duration
    private var suspects: [String] = []
    private var last = ContinuousClock.now

    /// - Parameter patience: For how long to stand still is too long.
    public init(patience: Duration) { self.patience = patience }

    /// After which time the next look makes sense.
    public var pause: Duration { suspects.isEmpty ? patience : patience / 4 }

    /// - Returns: The processes of PostgreSQL whose sessions were ended.
    /// - Throws: ``PostgresError``.
    public mutating func look(on connection: inout Connection) throws -> [Int32] {
        guard last + pause <= .now else { return [] }
        let look = Self.endStandstill(.textArray(suspects), .int8(patience.wholeMilliseconds))
        let found = try connection.run(look).map { row in
            (process: try row.next(Int32.self), mark: try row.next(String.self), isEnded: try row.next(Bool.self))
        }
        last = .now
        suspects = found.filter { !$0.isEnded }.map(\.mark)
        return found.filter(\.isEnded).map(\.process)
    }

    /// Parameters: what the last look answered, and the patience in milliseconds.
    ///
    /// A session stands still that waits for its client, between statements or within one, and began to before that time.
    /// Whoever works, or waits for the disk, a row or a standby, does not stand still. By the mode of the lock on the gate
    /// an instance is told from who took the gate by hand.
    private static let endStandstill = Statement(
        """
        SELECT s.pid, s.mark, CASE WHEN s.mark = ANY ($1::text[]) THEN pg_terminate_backend(s.pid) ELSE false END
        FROM (
            SELECT a.pid, concat_ws(' ', a.pid, a.backend_start, a.state_change) AS mark
            FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
            WHERE l.locktype = 'relation' AND l.relation = 'assignment_gate'::regclass
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.mode IN ('ShareRowExclusiveLock', 'RowShareLock') AND l.granted
                AND a.wait_event_type = 'Client' AND pg_has_role(a.usesysid, 'USAGE')
                AND a.state_change < clock_timestamp() - $2::bigint * interval '1 millisecond'
        ) AS s
        """)
}
