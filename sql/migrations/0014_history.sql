-- Why each contact moved, and how it was decided who takes it.
ALTER TABLE public.contact_events ADD COLUMN cause text, ADD COLUMN actor text, ADD COLUMN decision_id bigint;
COMMENT ON COLUMN public.contact_events.cause IS
    'Why: registered, place_freed, operator_activated, limit_raised, distribution_changed, transfer, release, requeue, close, reopen, sweep or sql; NULL: from before causes were kept.';
COMMENT ON COLUMN public.contact_events.actor IS 'Who did it: sql: and a role of the database; NULL: the service.';
COMMENT ON COLUMN public.contact_events.decision_id IS 'How it was decided, in assignment_decisions for some time.';

CREATE TABLE public.assignment_decisions (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT now(),
    record     bytea NOT NULL,
    CONSTRAINT assignment_decisions_pkey PRIMARY KEY (id)
);
-- It is compact already.
ALTER TABLE public.assignment_decisions ALTER COLUMN record SET STORAGE EXTERNAL;
COMMENT ON TABLE public.assignment_decisions IS
    'How transactions of the lane decided who takes what: the operators as they were, and each step.';
COMMENT ON COLUMN public.assignment_decisions.record IS 'In a form that the service reads: every choice can be made again from it.';

-- The lane says in its transaction what it changes and why, by settings that end with the transaction: leads_crm.decision, and
-- leads_crm.causes of the contacts in leads_crm.moved. What it does not name, somebody changed in SQL.
CREATE OR REPLACE FUNCTION public.contacts_inserted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Of which decision the lane's transaction writes the outcome, 0 if of none; NULL: somebody else changes contacts.
    decision bigint := NULLIF(current_setting('leads_crm.decision', true), '')::bigint;
BEGIN
    PERFORM public.add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, count(*) AS change FROM inserted
          WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id) AS d
    HAVING count(*) > 0;

    INSERT INTO public.distribution_counts AS c (source_id, operator_id, contacts_count, active_count)
    SELECT source_id, operator_id, count(*), count(operator_id) FILTER (WHERE status = 'active')
    FROM inserted GROUP BY source_id, operator_id
    ORDER BY source_id, operator_id
    ON CONFLICT (source_id, (COALESCE(operator_id, 0)))
    DO UPDATE SET contacts_count = c.contacts_count + EXCLUDED.contacts_count,
        active_count = c.active_count + EXCLUDED.active_count;

    INSERT INTO public.contact_events (
        contact_id, source_id, operator_id, status, created_at, cause, actor, decision_id)
    SELECT id, source_id, operator_id, status,
        -- A contact that comes closed was open before: it was closed at its last change.
        CASE status WHEN 'closed' THEN COALESCE(updated_at, created_at) ELSE created_at END,
        CASE WHEN decision IS NULL THEN 'sql' ELSE 'registered' END,
        CASE WHEN decision IS NULL THEN 'sql:' || session_user END, NULLIF(decision, 0)
    FROM inserted ORDER BY id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.contacts_updated() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_hashjoin = on AS $$
DECLARE
    -- Of which decision the lane's transaction writes the outcome, 0 if of none; NULL: somebody else changes contacts.
    decision bigint := NULLIF(current_setting('leads_crm.decision', true), '')::bigint;
BEGIN
    PERFORM public.add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, sum(change)::bigint AS change
          FROM (SELECT operator_id, status, 1 AS change FROM after_update
                UNION ALL SELECT operator_id, status, -1 FROM before_update) AS c
          WHERE status = 'active' AND operator_id IS NOT NULL
          GROUP BY operator_id HAVING sum(change) <> 0) AS d
    HAVING count(*) > 0;

    PERFORM public.add_to_distribution_counts(
        array_agg(source_id), array_agg(operator_id), array_agg(change), array_agg(active_change))
    FROM (SELECT source_id, operator_id, sum(change)::bigint AS change, sum(active_change)::bigint AS active_change
          FROM (SELECT source_id, operator_id, 1 AS change,
                    (status = 'active' AND operator_id IS NOT NULL)::integer AS active_change FROM after_update
                UNION ALL SELECT source_id, operator_id, -1,
                    -(status = 'active' AND operator_id IS NOT NULL)::integer FROM before_update) AS c
          GROUP BY source_id, operator_id HAVING sum(change) <> 0 OR sum(active_change) <> 0) AS d
    HAVING count(*) > 0;

    INSERT INTO public.contact_events (
        contact_id, source_id, operator_id, status, created_at, cause, actor, decision_id)
    SELECT a.id, a.source_id, a.operator_id, a.status,
        -- A writer that does not touch updated_at changes the contact now.
        COALESCE(NULLIF(a.updated_at, b.updated_at), now()), COALESCE(k.cause, 'sql'),
        CASE WHEN k.cause IS NULL THEN 'sql:' || session_user END,
        CASE WHEN k.cause IS NOT NULL THEN NULLIF(decision, 0) END
    FROM after_update AS a LEFT JOIN before_update AS b USING (id)
    LEFT JOIN unnest(
        NULLIF(current_setting('leads_crm.moved', true), '')::bigint[],
        NULLIF(current_setting('leads_crm.causes', true), '')::text[]
    ) AS k (contact_id, cause) ON k.contact_id = a.id
    WHERE (a.source_id, a.operator_id, a.status) IS DISTINCT FROM (b.source_id, b.operator_id, b.status)
    ORDER BY a.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE VIEW reporting.contact_events AS
SELECT e.id AS event_id, e.contact_id, e.source_id, e.operator_id, e.status, e.created_at, e.cause, e.actor
FROM public.contact_events AS e;
COMMENT ON COLUMN reporting.contact_events.cause IS
    'Why: registered, place_freed, operator_activated, limit_raised, distribution_changed, transfer, release, requeue, close, reopen, sweep or sql; NULL: from before causes were kept.';
COMMENT ON COLUMN reporting.contact_events.actor IS 'Who did it: sql: and a role of the database; NULL: the service.';

-- Serves reporting.releases.
CREATE INDEX contact_events_taken_idx ON public.contact_events (created_at) WHERE cause IN ('release', 'requeue');

CREATE VIEW reporting.releases AS
SELECT date_trunc('hour', e.created_at) AS hour, p.operator_id, o.name AS operator_name, e.cause, count(*) AS taken_count,
    count(e.operator_id) AS reassigned_count, count(*) - count(e.operator_id) AS waiting_count
FROM public.contact_events AS e
CROSS JOIN LATERAL (
    SELECT p.operator_id FROM public.contact_events AS p
    WHERE p.contact_id = e.contact_id AND p.id < e.id ORDER BY p.id DESC LIMIT 1
) AS p JOIN public.operators AS o ON o.id = p.operator_id
WHERE e.cause IN ('release', 'requeue') AND e.created_at >= date_trunc('hour', now()) - interval '7 days'
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW reporting.releases IS
    'Contacts that were taken from their operators in each hour of the last 7 days, by a release or a requeue, and what became of them at once. Reads those contacts only, by their own index.';
COMMENT ON COLUMN reporting.releases.hour IS 'The beginning of the hour.';
COMMENT ON COLUMN reporting.releases.operator_id IS 'Whom they were taken from.';
COMMENT ON COLUMN reporting.releases.operator_name IS 'The operator''s name.';
COMMENT ON COLUMN reporting.releases.cause IS 'release or requeue.';
COMMENT ON COLUMN reporting.releases.taken_count IS 'How many were taken.';
COMMENT ON COLUMN reporting.releases.reassigned_count IS 'Those of them that went to another operator in the same transaction.';
COMMENT ON COLUMN reporting.releases.waiting_count IS 'Those of them that had to wait.';

CREATE VIEW reporting.limits AS
SELECT d.source_id, d.source_name, d.operator_id, d.operator_name, d.weight, d.assigned_count,
    round(d.expected_percent * d.total / 100, 1) AS due_count,
    round(d.expected_percent * d.total / 100, 1) - d.assigned_count AS missed_count,
    (SELECT count(*) FROM generate_series(
        date_trunc('hour', now(), 'UTC') - interval '24 hours', date_trunc('hour', now(), 'UTC'), interval '1 hour') AS h (hour)
    WHERE EXISTS (
            SELECT FROM public.operator_full_hours AS f WHERE f.operator_id = d.operator_id AND f.hour = h.hour)
        OR COALESCE((
            SELECT f.is_full FROM public.operator_full_hours AS f
            WHERE f.operator_id = d.operator_id AND f.hour < h.hour ORDER BY f.hour DESC LIMIT 1), false)) AS full_hours
FROM (
    SELECT s.*, sum(s.assigned_count) OVER (PARTITION BY s.source_id) AS total FROM reporting.shares AS s
) AS d
WHERE d.limited;
COMMENT ON VIEW reporting.limits IS
    'What limits did to shares in the last 24 hours and this one: the operators who were full for part of that time, and how many contacts of each source they were given less than their weights say. Reads tallies by the hour.';
COMMENT ON COLUMN reporting.limits.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.limits.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.limits.operator_id IS 'The operator''s id.';
COMMENT ON COLUMN reporting.limits.operator_name IS 'The operator''s name.';
COMMENT ON COLUMN reporting.limits.weight IS 'The operator''s weight at the source, today; NULL: none.';
COMMENT ON COLUMN reporting.limits.assigned_count IS 'Contacts given to the operator while they had none.';
COMMENT ON COLUMN reporting.limits.due_count IS 'As many as the weight says of all that were given of the source.';
COMMENT ON COLUMN reporting.limits.missed_count IS 'due_count less assigned_count; below 0: others missed more.';
COMMENT ON COLUMN reporting.limits.full_hours IS 'In how many of these 25 hours the operator was full at some moment.';

-- Default privileges may have given it to others.
DO $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_get_userbyid(a.grantee)) END
        FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS a
        WHERE t.oid = 'public.assignment_decisions'::regclass AND a.grantee <> t.relowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON public.assignment_decisions FROM %s', grantee);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_reporting') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_reporting;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_service;
        GRANT SELECT, INSERT, DELETE ON public.assignment_decisions TO leads_crm_service;
    END IF;
END
$$;
