-- The contacts of a period by operator and source; those that nobody has are at the end.
-- psql -d DATABASE [-v from=2026-11-01] [-v to=2026-12-01] -f sql/reporting/contacts_by_operator_and_source.sql
-- (default: last 7 days)
\if :{?from}
\else
    SELECT current_date - 7 AS "from" \gset
\endif
\if :{?to}
\else
    \set to now
\endif

SELECT operator_id, operator_name, source_id, source_name, count(*) AS contacts,
    count(*) FILTER (WHERE status = 'active') AS active, count(*) FILTER (WHERE status = 'closed') AS closed
FROM reporting.contacts
WHERE created_at >= :'from'::timestamptz AND created_at < :'to'::timestamptz
GROUP BY operator_id, operator_name, source_id, source_name
ORDER BY operator_id, source_id;
