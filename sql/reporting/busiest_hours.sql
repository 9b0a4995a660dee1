-- The busiest hours of the week, in the session's time zone.
-- psql -d DATABASE [-v from=2026-11-01] [-v to=2026-12-01] [-v limit=24] -f sql/reporting/busiest_hours.sql
-- (default: the last 28 days, all 168 hours)
\if :{?from}
\else
    SELECT current_date - 28 AS "from" \gset
\endif
\if :{?to}
\else
    \set to today
\endif
\if :{?limit}
\else
    \set limit 168
\endif

SELECT to_char(created_at, 'Dy') AS weekday, extract(hour FROM created_at)::integer AS hour, count(*) AS contacts,
    round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent
FROM reporting.contacts
WHERE created_at >= :'from'::timestamptz AND created_at < :'to'::timestamptz
GROUP BY 1, 2
ORDER BY contacts DESC, 1, 2
LIMIT :limit;
