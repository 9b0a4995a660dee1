-- Service level of the first assignment: how many of a period's contacts got an operator within so many seconds.
-- psql -d DATABASE [-v from=2026-11-01] [-v to=2026-12-01] [-v seconds=60] -f sql/reporting/first_assignment.sql
-- (default: last 7 days, 60 seconds)
\if :{?from}
\else
    SELECT current_date - 7 AS "from" \gset
\endif
\if :{?to}
\else
    \set to now
\endif
\if :{?seconds}
\else
    \set seconds 60
\endif

SELECT c.source_id, c.source_name, count(*) AS registered, count(e.first_at) AS assigned,
    count(*) FILTER (WHERE e.first_at <= c.created_at + :seconds * interval '1 second') AS within_limit,
    round(100.0 * count(*) FILTER (WHERE e.first_at <= c.created_at + :seconds * interval '1 second') / count(*), 2)
        AS within_limit_percent,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM e.first_at - c.created_at)) AS p95_seconds,
    count(*) FILTER (WHERE c.status = 'active' AND c.operator_id IS NULL) AS waiting
FROM reporting.contacts AS c
LEFT JOIN (
    SELECT contact_id, min(created_at) AS first_at FROM reporting.contact_events
    WHERE created_at >= :'from'::timestamptz AND operator_id IS NOT NULL AND status = 'active'
    GROUP BY contact_id
) AS e USING (contact_id)
WHERE c.created_at >= :'from'::timestamptz AND c.created_at < :'to'::timestamptz
GROUP BY c.source_id, c.source_name
ORDER BY within_limit_percent, c.source_id;
