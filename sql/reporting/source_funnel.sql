-- The funnel of each source: registered in the period, given to an operator, closed.
-- psql -d DATABASE [-v from=2026-11-01] [-v to=2026-12-01] -f sql/reporting/source_funnel.sql     (default: last 7 days)
\if :{?from}
\else
    SELECT current_date - 7 AS "from" \gset
\endif
\if :{?to}
\else
    \set to now
\endif

SELECT source_id, source_name, count(*) AS registered, count(DISTINCT lead_id) AS leads, count(operator_id) AS assigned,
    count(*) FILTER (WHERE status = 'closed') AS closed,
    count(*) FILTER (WHERE status = 'active' AND operator_id IS NULL) AS waiting,
    round(100.0 * count(operator_id) / count(*), 1) AS assigned_percent,
    round(100.0 * count(*) FILTER (WHERE status = 'closed') / count(*), 1) AS closed_percent
FROM reporting.contacts
WHERE created_at >= :'from'::timestamptz AND created_at < :'to'::timestamptz
GROUP BY source_id, source_name
ORDER BY registered DESC, source_id;
