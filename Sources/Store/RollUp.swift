import Postgres

extension MaintenanceJob {
    private static let rollUpSize: Int64 = 10_000

    /// Adds what events tell to the tallies of their hours.
    ///
    /// Ids of events become visible out of order: one that is drawn early may be committed late. So a part ends at an event
    /// that was there when all transactions were young that are open now: whatever has a smaller id is committed or never
    /// will be. After a restore into another cluster transactions may be younger than before; then it begins anew.
    public static let rollUp = MaintenanceJob(
        name: "roll_up", interval: .seconds(10),
        step: Statement(
            """
            WITH state AS MATERIALIZED (
                SELECT rolled_to, next_to, next_xid,
                    CASE WHEN pg_snapshot_xmin(pg_current_snapshot()) >= next_xid THEN next_to ELSE rolled_to END AS ready_to
                FROM tally_progress FOR UPDATE),
            part AS MATERIALIZED (
                SELECT max(id) AS last, count(*) AS n
                FROM (
                    SELECT e.id FROM contact_events AS e
                    WHERE e.id > (SELECT rolled_to FROM state) AND e.id <= (SELECT ready_to FROM state) ORDER BY e.id LIMIT \(rollUpSize)
                ) AS e),
            steps AS MATERIALIZED (
                SELECT s.* FROM contact_steps AS s
                WHERE s.event_id > (SELECT rolled_to FROM state) AND s.event_id <= (SELECT last FROM part)),
            contacts_added AS (
                INSERT INTO contact_tallies AS t (source_id, hour, kind, n)
                SELECT a.source_id, s.hour, s.kind, count(*)
                FROM steps AS s CROSS JOIN LATERAL (VALUES (s.source_id), (0)) AS a (source_id)
                GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
                ON CONFLICT (source_id, hour, kind) DO UPDATE SET n = t.n + EXCLUDED.n),
            assignments_added AS (
                INSERT INTO assignment_tallies AS t (hour, source_id, operator_id, n)
                SELECT hour, source_id, operator_id, count(*) FROM steps WHERE kind >= 0 GROUP BY 1, 2, 3
                ORDER BY 1, 2, 3
                ON CONFLICT (hour, source_id, operator_id) DO UPDATE SET n = t.n + EXCLUDED.n),
            moved AS (
                UPDATE tally_progress AS t
                SET rolled_to = d.rolled_to, next_to = CASE WHEN d.is_done THEN d.newest ELSE s.next_to END,
                    next_xid = CASE WHEN d.is_done THEN pg_snapshot_xmax(pg_current_snapshot()) ELSE s.next_xid END
                FROM state AS s CROSS JOIN part AS p
                CROSS JOIN LATERAL (SELECT CASE WHEN p.n = \(rollUpSize) THEN p.last ELSE s.ready_to END AS rolled_to) AS r
                CROSS JOIN LATERAL (
                    SELECT r.rolled_to, COALESCE((SELECT max(id) FROM contact_events), 0) AS newest,
                        r.rolled_to = s.next_to OR s.next_xid > pg_snapshot_xmax(pg_current_snapshot()) AS is_done) AS d)
            SELECT n FROM part
            """)(), stepSize: rollUpSize)
}
