-- An operator's day: what each one got, what was closed of theirs, and where they stand now.
-- psql -d DATABASE [-v day=2026-11-20] -f sql/reporting/operators_day.sql     (default: yesterday)
\if :{?day}
\else
    \set day yesterday
\endif

SELECT l.operator_id, l.operator_name, COALESCE(d.assigned, 0) AS assigned, COALESCE(d.closed, 0) AS closed,
    l.current_load AS load_now, l.max_load, l.is_active
FROM reporting.operator_load AS l
LEFT JOIN (
    SELECT operator_id, count(DISTINCT contact_id) FILTER (WHERE status = 'active') AS assigned,
        count(DISTINCT contact_id) FILTER (WHERE status = 'closed') AS closed
    FROM reporting.contact_events
    WHERE created_at >= :'day'::date AND created_at < :'day'::date + 1 AND operator_id IS NOT NULL
    GROUP BY operator_id
) AS d USING (operator_id)
ORDER BY assigned DESC, l.operator_id;
