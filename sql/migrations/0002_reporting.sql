-- Schema reporting: views for people who report with psql, and a role that reads them and nothing else.

-- Serve the reports on a span of time, at next to no cost for writers: rows lie in the order of their times.
CREATE INDEX contacts_created_at_idx ON contacts USING brin (created_at) WITH (autosummarize = on);
CREATE INDEX contact_events_created_at_idx ON contact_events USING brin (created_at) WITH (autosummarize = on);

CREATE SCHEMA reporting;
COMMENT ON SCHEMA reporting IS 'Views for reports. Times are in the session''s time zone.';

CREATE VIEW reporting.operator_load AS
SELECT o.id AS operator_id, o.name AS operator_name, o.is_active, o.current_load, o.max_load,
    GREATEST(o.max_load - o.current_load, 0) AS free_places,
    round(100.0 * o.current_load / o.max_load, 1) AS utilisation_percent,
    (SELECT count(*) FROM operator_source_weights AS w WHERE w.operator_id = o.id) AS sources
FROM operators AS o;
COMMENT ON VIEW reporting.operator_load IS 'Each operator''s load and limit, now. Reads counters: fast at any size.';
COMMENT ON COLUMN reporting.operator_load.operator_id IS 'The operator''s id.';
COMMENT ON COLUMN reporting.operator_load.operator_name IS 'The operator''s name.';
COMMENT ON COLUMN reporting.operator_load.is_active IS 'Whether new contacts may be given to the operator.';
COMMENT ON COLUMN reporting.operator_load.current_load IS 'Active contacts the operator holds.';
COMMENT ON COLUMN reporting.operator_load.max_load IS 'The most active contacts the operator may hold.';
COMMENT ON COLUMN reporting.operator_load.free_places IS 'How many more contacts fit; 0 if the limit was lowered below the load.';
COMMENT ON COLUMN reporting.operator_load.utilisation_percent IS 'current_load in percent of max_load.';
COMMENT ON COLUMN reporting.operator_load.sources IS 'The number of sources the operator has a weight at.';

CREATE VIEW reporting.distribution AS
SELECT s.id AS source_id, s.name AS source_name, o.id AS operator_id, o.name AS operator_name, w.weight,
    COALESCE(d.contacts_count, 0) AS contacts_count,
    round(100.0 * w.weight / sum(w.weight) OVER of_source, 2) AS expected_percent,
    round(100.0 * COALESCE(d.contacts_count, 0) / NULLIF(sum(d.contacts_count) OVER of_source, 0), 2)
        AS actual_percent,
    round(100.0 * COALESCE(d.contacts_count, 0) / NULLIF(sum(d.contacts_count) OVER of_source, 0), 2)
        - round(100.0 * w.weight / sum(w.weight) OVER of_source, 2) AS deviation_points
FROM operator_source_weights AS w
JOIN sources AS s ON s.id = w.source_id
JOIN operators AS o ON o.id = w.operator_id
LEFT JOIN distribution_counts AS d ON d.source_id = w.source_id AND COALESCE(d.operator_id, 0) = w.operator_id
WINDOW of_source AS (PARTITION BY w.source_id);
COMMENT ON VIEW reporting.distribution IS
    'How the contacts of each source were shared among the operators who have a weight there, and how they should be while everybody has room. Reads counters: fast at any size.';
COMMENT ON COLUMN reporting.distribution.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.distribution.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.distribution.operator_id IS 'The operator''s id.';
COMMENT ON COLUMN reporting.distribution.operator_name IS 'The operator''s name.';
COMMENT ON COLUMN reporting.distribution.weight IS 'The operator''s weight at the source, today.';
COMMENT ON COLUMN reporting.distribution.contacts_count IS 'Contacts of the source that the operator has, whatever their status.';
COMMENT ON COLUMN reporting.distribution.expected_percent IS 'weight in percent of the sum of the source''s weights.';
COMMENT ON COLUMN reporting.distribution.actual_percent IS 'contacts_count in percent of all that these operators have of the source; NULL if none.';
COMMENT ON COLUMN reporting.distribution.deviation_points IS 'actual_percent less expected_percent, in percentage points.';

CREATE VIEW reporting.waiting AS
SELECT s.id AS source_id, s.name AS source_name, w.waiting_count, w.oldest_created_at,
    now() - w.oldest_created_at AS oldest_age
FROM sources AS s
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting_count, min(c.created_at) AS oldest_created_at
    FROM contacts AS c
    WHERE c.source_id = s.id AND c.status = 'active' AND c.operator_id IS NULL) AS w
WHERE w.waiting_count > 0;
COMMENT ON VIEW reporting.waiting IS
    'Sources at which contacts wait for an operator. Reads the waiting contacts only, by their own index.';
COMMENT ON COLUMN reporting.waiting.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.waiting.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.waiting.waiting_count IS 'Active contacts without an operator.';
COMMENT ON COLUMN reporting.waiting.oldest_created_at IS 'When the one that waits longest was registered.';
COMMENT ON COLUMN reporting.waiting.oldest_age IS 'How long that one waits already.';

CREATE VIEW reporting.contacts_per_hour AS
SELECT date_trunc('hour', c.created_at) AS hour, c.source_id, s.name AS source_name, count(*) AS contacts_count,
    count(*) FILTER (WHERE c.operator_id IS NULL) AS without_operator,
    count(*) FILTER (WHERE c.status = 'closed') AS closed
FROM contacts AS c JOIN sources AS s ON s.id = c.source_id
WHERE c.created_at >= date_trunc('hour', now()) - interval '7 days'
GROUP BY 1, 2, 3;
COMMENT ON VIEW reporting.contacts_per_hour IS
    'Contacts registered in each hour of the last 7 days, by source. Reads those days only; their number decides.';
COMMENT ON COLUMN reporting.contacts_per_hour.hour IS 'The beginning of the hour.';
COMMENT ON COLUMN reporting.contacts_per_hour.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.contacts_per_hour.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.contacts_per_hour.contacts_count IS 'Contacts registered in that hour.';
COMMENT ON COLUMN reporting.contacts_per_hour.without_operator IS 'Those of them that have no operator now.';
COMMENT ON COLUMN reporting.contacts_per_hour.closed IS 'Those of them that are closed now.';

CREATE VIEW reporting.assignment_delay AS
SELECT date_trunc('hour', e.first_at) AS hour, e.source_id, s.name AS source_name, count(*) AS assigned_count,
    count(*) FILTER (WHERE e.delay > 0) AS waited_count,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY e.delay) AS median_seconds,
    percentile_disc(0.9) WITHIN GROUP (ORDER BY e.delay) AS p90_seconds,
    max(e.delay) AS max_seconds
FROM (
    SELECT e.contact_id, e.source_id, min(e.created_at) AS first_at,
        extract(epoch FROM min(e.created_at) - c.created_at)::numeric(12, 3) AS delay
    FROM contact_events AS e JOIN contacts AS c ON c.id = e.contact_id
    WHERE e.created_at >= date_trunc('hour', now()) - interval '24 hours' AND e.operator_id IS NOT NULL
        AND e.status = 'active'
        -- Assigned for the first time in these hours, not just moved or reopened.
        AND c.created_at >= date_trunc('hour', now()) - interval '24 hours'
    GROUP BY e.contact_id, e.source_id, c.created_at
) AS e
JOIN sources AS s ON s.id = e.source_id
GROUP BY 1, 2, 3;
COMMENT ON VIEW reporting.assignment_delay IS
    'How long contacts waited for their first operator: those registered and assigned in the last 24 hours, by hour of assignment and source. Reads those hours only.';
COMMENT ON COLUMN reporting.assignment_delay.hour IS 'The beginning of the hour in which they were assigned.';
COMMENT ON COLUMN reporting.assignment_delay.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.assignment_delay.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.assignment_delay.assigned_count IS 'Contacts that got their first operator in that hour.';
COMMENT ON COLUMN reporting.assignment_delay.waited_count IS 'Those of them that had to wait.';
COMMENT ON COLUMN reporting.assignment_delay.median_seconds IS 'The median delay, in seconds.';
COMMENT ON COLUMN reporting.assignment_delay.p90_seconds IS 'The delay that nine of ten did not exceed, in seconds.';
COMMENT ON COLUMN reporting.assignment_delay.max_seconds IS 'The longest delay, in seconds.';

CREATE VIEW reporting.leads_overview AS
SELECT l.id AS lead_id,
    '***' || CASE WHEN length(l.phone) > 7 THEN right(l.phone, 4) ELSE '' END AS masked_phone,
    left(l.email, 1) || '***@' || split_part(l.email, '@', 2) AS masked_email,
    c.contacts_count, c.active_count, c.last_contact_at, l.created_at
FROM leads AS l
CROSS JOIN LATERAL (
    SELECT count(*) AS contacts_count, count(*) FILTER (WHERE c.status = 'active') AS active_count,
        max(c.created_at) AS last_contact_at
    FROM contacts AS c WHERE c.lead_id = l.id) AS c;
COMMENT ON VIEW reporting.leads_overview IS
    'Leads with their numbers of contacts, phones and emails masked. Each row reads that lead''s contacts: fast for some leads (WHERE lead_id …, ORDER BY lead_id LIMIT …), minutes for millions.';
COMMENT ON COLUMN reporting.leads_overview.lead_id IS 'The lead''s id.';
COMMENT ON COLUMN reporting.leads_overview.masked_phone IS 'Asterisks and the phone''s last four characters; no character of a phone of seven or fewer.';
COMMENT ON COLUMN reporting.leads_overview.masked_email IS 'The email''s first character and its domain.';
COMMENT ON COLUMN reporting.leads_overview.contacts_count IS 'All contacts of the lead.';
COMMENT ON COLUMN reporting.leads_overview.active_count IS 'Those of them that are active.';
COMMENT ON COLUMN reporting.leads_overview.last_contact_at IS 'When the last one was registered.';
COMMENT ON COLUMN reporting.leads_overview.created_at IS 'When the lead was first seen.';

CREATE VIEW reporting.integrity AS
SELECT 'operator load' AS counter, NULL::bigint AS source_id, o.id AS operator_id, o.current_load::bigint AS kept,
    COALESCE(c.n, 0) AS counted
FROM operators AS o
LEFT JOIN (
    SELECT operator_id, count(*) AS n FROM contacts
    WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id
) AS c ON c.operator_id = o.id
WHERE o.current_load <> COALESCE(c.n, 0)
UNION ALL
SELECT 'distribution count', COALESCE(d.source_id, c.source_id), COALESCE(d.operator_id, c.operator_id),
    COALESCE(d.contacts_count, 0), COALESCE(c.n, 0)
FROM distribution_counts AS d
FULL JOIN (SELECT source_id, operator_id, count(*) AS n FROM contacts GROUP BY source_id, operator_id) AS c
    ON c.source_id = d.source_id AND COALESCE(c.operator_id, 0) = COALESCE(d.operator_id, 0)
WHERE COALESCE(d.contacts_count, 0) <> COALESCE(c.n, 0);
COMMENT ON VIEW reporting.integrity IS
    'Counters that differ from a recount: empty when all is well. Counts every contact, seconds for ten million: a check that trusted a counter would be none.';
COMMENT ON COLUMN reporting.integrity.counter IS 'Which counter: operator load or distribution count.';
COMMENT ON COLUMN reporting.integrity.source_id IS 'The source it counts for; NULL for a load.';
COMMENT ON COLUMN reporting.integrity.operator_id IS 'The operator it counts for; NULL: contacts without one.';
COMMENT ON COLUMN reporting.integrity.kept IS 'What the triggers have counted.';
COMMENT ON COLUMN reporting.integrity.counted IS 'What a recount finds.';

-- Roles belong to the whole cluster: another database may have made it, at this very moment too, and whoever
-- migrates may not be allowed to. Then an administrator creates it and runs the grants below.
DO $$
BEGIN
    CREATE ROLE leads_crm_reporting NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE WARNING 'role leads_crm_reporting was not created: it takes CREATEROLE';
END
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_reporting') THEN
        GRANT USAGE ON SCHEMA reporting TO leads_crm_reporting;
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_reporting;
    END IF;
END
$$;
