-- Expected and actual shares of each source's operators among the contacts of a period. Expected is what today's weights
-- say: who was full, inactive or had another weight then deviates rightly, and who has none today is left out.
-- psql -d DATABASE [-v from=2026-11-01] [-v to=2026-12-01] -f sql/reporting/shares_in_period.sql  (default: last 7 days)
\if :{?from}
\else
    SELECT current_date - 7 AS "from" \gset
\endif
\if :{?to}
\else
    \set to now
\endif

SELECT d.source_id, d.source_name, d.operator_id, d.operator_name, d.weight, COALESCE(c.contacts, 0) AS contacts,
    d.expected_percent, round(100.0 * COALESCE(c.contacts, 0) / sum(c.contacts) OVER of_source, 2) AS actual_percent,
    round(100.0 * COALESCE(c.contacts, 0) / sum(c.contacts) OVER of_source, 2) - d.expected_percent AS deviation_points
FROM reporting.distribution AS d
LEFT JOIN (
    SELECT source_id, operator_id, count(*) AS contacts FROM reporting.contacts
    WHERE created_at >= :'from'::timestamptz AND created_at < :'to'::timestamptz
    GROUP BY source_id, operator_id
) AS c USING (source_id, operator_id)
WINDOW of_source AS (PARTITION BY d.source_id)
ORDER BY d.source_id, d.weight DESC, d.operator_id;
