-- Deletes of operators and sources to which no contact ever belonged, which distribution_counts tells: its rows stay, at 0
-- if need be, and refer to both.

-- Serves the foreign key: whether an operator that is deleted ever had a contact.
CREATE INDEX distribution_counts_operator_id_idx ON public.distribution_counts (operator_id);

COMMENT ON TABLE public.distribution_counts IS
    'Contacts of each source by operator, whatever their status; kept by triggers. A pair that had one keeps its row.';

-- A repair of the counters forgot these rows until now.
INSERT INTO public.distribution_counts (source_id, operator_id, contacts_count)
SELECT e.source_id, e.operator_id, 0
FROM (SELECT DISTINCT source_id, operator_id FROM public.contact_events) AS e
JOIN public.sources AS s ON s.id = e.source_id LEFT JOIN public.operators AS o ON o.id = e.operator_id
WHERE e.operator_id IS NULL OR o.id IS NOT NULL
ON CONFLICT (source_id, (COALESCE(operator_id, 0))) DO NOTHING;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT DELETE ON public.operators, public.sources TO leads_crm_service;
    END IF;
END
$$;

-- Statistics by the hour. The maintenance rolls events up, so that those who write pay for no more than one index; what it has
-- not come to yet is read from the events themselves.

-- Serves what a contact was before an event.
CREATE INDEX contact_events_contact_id_idx ON public.contact_events (contact_id, id);

-- What each event counts as.
CREATE VIEW public.contact_steps AS
SELECT e.id AS event_id, e.created_at AS event_at, e.source_id, e.operator_id, s.kind, s.at,
    date_trunc('hour', s.at, 'UTC') AS hour
FROM public.contact_events AS e
LEFT JOIN LATERAL (
    SELECT p.id, p.operator_id, p.status, p.created_at FROM public.contact_events AS p
    WHERE p.contact_id = e.contact_id AND p.id < e.id ORDER BY p.id DESC LIMIT 1
) AS p ON true
CROSS JOIN LATERAL (
    -- A contact that comes closed has one event, of its end.
    SELECT f.kind, COALESCE((SELECT c.created_at FROM public.contacts AS c WHERE c.id = e.contact_id), e.created_at) AS at
    FROM (VALUES ((-2)::smallint), (0::smallint)) AS f (kind)
    WHERE p.id IS NULL AND (f.kind < 0 OR e.operator_id IS NOT NULL)
    UNION ALL
    SELECT CASE WHEN w.seconds < 0.001 THEN 0 ELSE LEAST(1 + floor(4 * ln(w.seconds * 1000) / ln(2.0::float8)), 200) END::smallint,
        e.created_at
    FROM (SELECT extract(epoch FROM e.created_at - p.created_at)::float8 AS seconds) AS w
    WHERE p.operator_id IS NULL AND p.id IS NOT NULL AND e.operator_id IS NOT NULL AND e.status = 'active'
    UNION ALL
    SELECT (-1)::smallint, e.created_at WHERE e.status = 'closed' AND p.status IS DISTINCT FROM 'closed'
) AS s;
COMMENT ON VIEW public.contact_steps IS 'What contact_events tell, to be counted: fast for a span of event_id or event_at.';
COMMENT ON COLUMN public.contact_steps.kind IS
    '-2: registered; -1: closed; from 0 on: given to an operator by somebody who had none, after a wait of this class.';
COMMENT ON COLUMN public.contact_steps.at IS 'When it happened.';

CREATE TABLE public.contact_tallies (
    source_id bigint NOT NULL,
    hour      timestamptz NOT NULL,
    kind      smallint NOT NULL,
    n         integer NOT NULL,
    CONSTRAINT contact_tallies_pkey PRIMARY KEY (source_id, hour, kind)
);
COMMENT ON TABLE public.contact_tallies IS
    'How many contacts were registered, assigned and closed in each hour, by source and together; rolled up from contact_events.';
COMMENT ON COLUMN public.contact_tallies.source_id IS '0: all sources.';
COMMENT ON COLUMN public.contact_tallies.hour IS 'When the hour begins; of UTC.';
COMMENT ON COLUMN public.contact_tallies.kind IS
    '-2: registered; -1: closed; 0: assigned at once; k > 0: assigned after 2^((k-1)/4) to 2^(k/4) milliseconds of waiting.';

CREATE TABLE public.assignment_tallies (
    hour        timestamptz NOT NULL,
    source_id   bigint NOT NULL,
    operator_id bigint NOT NULL,
    n           integer NOT NULL,
    CONSTRAINT assignment_tallies_pkey PRIMARY KEY (hour, source_id, operator_id)
);
COMMENT ON TABLE public.assignment_tallies IS
    'How many contacts of each source each operator was given in each hour, transfers aside; rolled up from contact_events.';

CREATE TABLE public.tally_progress (
    rolled_to bigint NOT NULL,
    next_to   bigint NOT NULL,
    next_xid  xid8 NOT NULL,
    CONSTRAINT tally_progress_order CHECK (rolled_to <= next_to)
);
CREATE UNIQUE INDEX tally_progress_one_row ON public.tally_progress ((true));
COMMENT ON TABLE public.tally_progress IS 'How far contact_events are rolled up: one row.';
COMMENT ON COLUMN public.tally_progress.rolled_to IS 'The last event that the tallies have.';
COMMENT ON COLUMN public.tally_progress.next_to IS
    'The last event that they can have once all transactions before next_xid have ended: ids become visible out of order.';
INSERT INTO public.tally_progress VALUES (0, 0, '0');

CREATE VIEW public.contact_tallies_now AS
SELECT source_id, hour, kind, n FROM public.contact_tallies
UNION ALL
SELECT a.source_id, s.hour, s.kind, 1
FROM public.contact_steps AS s CROSS JOIN LATERAL (VALUES (s.source_id), (0)) AS a (source_id)
WHERE s.event_id > (SELECT rolled_to FROM public.tally_progress);
COMMENT ON VIEW public.contact_tallies_now IS 'contact_tallies, with what is not rolled up yet in rows of its own.';

CREATE VIEW public.assignment_tallies_now AS
SELECT hour, source_id, operator_id, n FROM public.assignment_tallies
UNION ALL
SELECT hour, source_id, operator_id, 1 FROM public.contact_steps
WHERE event_id > (SELECT rolled_to FROM public.tally_progress) AND kind >= 0;
COMMENT ON VIEW public.assignment_tallies_now IS 'assignment_tallies, with what is not rolled up yet in rows of its own.';

-- Written when an operator reaches max_load or gets below it, and by nothing else.
CREATE TABLE public.operator_full_hours (
    operator_id bigint NOT NULL,
    hour        timestamptz NOT NULL,
    is_full     boolean NOT NULL,
    CONSTRAINT operator_full_hours_pkey PRIMARY KEY (operator_id, hour)
);
COMMENT ON TABLE public.operator_full_hours IS
    'The hours in which an operator became full or ceased to be: in each of them there was a time without room.';
COMMENT ON COLUMN public.operator_full_hours.is_full IS 'Whether the operator was full at the end of the hour, and until the next row.';

CREATE FUNCTION public.operators_note_fullness() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.operator_full_hours AS f (operator_id, hour, is_full)
    VALUES (NEW.id, date_trunc('hour', now(), 'UTC'), NEW.current_load >= NEW.max_load)
    ON CONFLICT (operator_id, hour) DO UPDATE SET is_full = EXCLUDED.is_full;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION public.operators_note_fullness() FROM PUBLIC;
CREATE TRIGGER operators_note_fullness AFTER UPDATE ON public.operators FOR EACH ROW
WHEN ((NEW.current_load >= NEW.max_load) <> (OLD.current_load >= OLD.max_load))
EXECUTE FUNCTION public.operators_note_fullness();

INSERT INTO public.operator_full_hours
SELECT id, date_trunc('hour', now(), 'UTC'), true FROM public.operators WHERE current_load >= max_load;

CREATE VIEW reporting.waiting_times AS
SELECT q.hour, q.source_id, s.name AS source_name, q.registered_count, q.assigned_count, q.waited_count, q.closed_count,
    CASE q.median WHEN 0 THEN 0 ELSE round((0.001 * 2 ^ ((q.median - 0.5) / 4))::numeric, 3) END AS median_seconds,
    CASE q.p90 WHEN 0 THEN 0 ELSE round((0.001 * 2 ^ ((q.p90 - 0.5) / 4))::numeric, 3) END AS p90_seconds
FROM (
    SELECT hour, source_id, COALESCE(sum(n) FILTER (WHERE kind = -2), 0) AS registered_count,
        COALESCE(sum(n) FILTER (WHERE kind >= 0), 0) AS assigned_count,
        COALESCE(sum(n) FILTER (WHERE kind > 0), 0) AS waited_count,
        COALESCE(sum(n) FILTER (WHERE kind = -1), 0) AS closed_count,
        min(kind) FILTER (WHERE kind >= 0 AND so_far >= 0.5 * assigned) AS median,
        min(kind) FILTER (WHERE kind >= 0 AND so_far >= 0.9 * assigned) AS p90
    FROM (
        SELECT hour, source_id, kind, n, sum(n) FILTER (WHERE kind >= 0) OVER of_hour AS assigned,
            sum(n) FILTER (WHERE kind >= 0) OVER (of_hour ORDER BY kind) AS so_far
        FROM (
            SELECT hour, source_id, kind, sum(n) AS n
            FROM (
                SELECT t.hour, s.id AS source_id, t.kind, t.n
                FROM public.sources AS s
                CROSS JOIN LATERAL (
                    SELECT * FROM public.contact_tallies AS t
                    WHERE t.source_id = s.id AND t.hour >= date_trunc('hour', now(), 'UTC') - interval '7 days' OFFSET 0
                ) AS t
                UNION ALL
                SELECT hour, source_id, kind, 1 FROM public.contact_steps
                WHERE event_id > (SELECT rolled_to FROM public.tally_progress)
                    AND hour >= date_trunc('hour', now(), 'UTC') - interval '7 days'
            ) AS t
            GROUP BY 1, 2, 3
        ) AS t
        WINDOW of_hour AS (PARTITION BY hour, source_id)
    ) AS t
    GROUP BY 1, 2
) AS q JOIN public.sources AS s ON s.id = q.source_id;
COMMENT ON VIEW reporting.waiting_times IS
    'What happened at each source in each hour of the last 7 days, and how long those had waited who were given to an operator. Reads tallies by the hour.';
COMMENT ON COLUMN reporting.waiting_times.hour IS 'The beginning of the hour; of UTC.';
COMMENT ON COLUMN reporting.waiting_times.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.waiting_times.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.waiting_times.registered_count IS 'Contacts that came.';
COMMENT ON COLUMN reporting.waiting_times.assigned_count IS 'Contacts given to an operator while they had none.';
COMMENT ON COLUMN reporting.waiting_times.waited_count IS 'Those of them that had to wait.';
COMMENT ON COLUMN reporting.waiting_times.closed_count IS 'Contacts that were closed.';
COMMENT ON COLUMN reporting.waiting_times.median_seconds IS
    'How long half of those assigned had waited at most, to 9 %: waits are counted by classes. NULL without any.';
COMMENT ON COLUMN reporting.waiting_times.p90_seconds IS 'The same for nine of ten.';

CREATE VIEW reporting.shares AS
SELECT s.id AS source_id, s.name AS source_name, o.id AS operator_id, o.name AS operator_name, d.weight,
    COALESCE(d.expected, 0) AS expected_percent, d.assigned AS assigned_count, d.actual AS actual_percent,
    d.actual - COALESCE(d.expected, 0) AS deviation_points,
    EXISTS (
        SELECT FROM public.operator_full_hours AS f
        WHERE f.operator_id = o.id AND f.hour >= date_trunc('hour', now(), 'UTC') - interval '24 hours')
    OR COALESCE((SELECT f.is_full FROM public.operator_full_hours AS f
        WHERE f.operator_id = o.id ORDER BY f.hour DESC LIMIT 1), false) AS limited
FROM (
    SELECT source_id, operator_id, w.weight, COALESCE(g.n, 0) AS assigned,
        round(100.0 * COALESCE(w.weight, 0) / NULLIF(sum(w.weight) OVER of_source, 0), 2) AS expected,
        round(100.0 * COALESCE(g.n, 0) / NULLIF(sum(g.n) OVER of_source, 0), 2) AS actual
    FROM public.operator_source_weights AS w
    FULL JOIN (
        SELECT source_id, operator_id, sum(n) AS n FROM public.assignment_tallies_now
        WHERE hour >= date_trunc('hour', now(), 'UTC') - interval '24 hours' GROUP BY 1, 2
    ) AS g USING (source_id, operator_id)
    WINDOW of_source AS (PARTITION BY source_id)
) AS d JOIN public.sources AS s ON s.id = d.source_id JOIN public.operators AS o ON o.id = d.operator_id;
COMMENT ON VIEW reporting.shares IS
    'How the contacts of each source were shared in the last 24 hours and this one, beside what the weights say, and who was full meanwhile, so that limits decided. Reads tallies by the hour.';
COMMENT ON COLUMN reporting.shares.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.shares.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.shares.operator_id IS 'The operator''s id.';
COMMENT ON COLUMN reporting.shares.operator_name IS 'The operator''s name.';
COMMENT ON COLUMN reporting.shares.weight IS 'The operator''s weight at the source, today; NULL: none.';
COMMENT ON COLUMN reporting.shares.expected_percent IS 'weight in percent of the sum of the source''s weights.';
COMMENT ON COLUMN reporting.shares.assigned_count IS 'Contacts given to the operator while they had none.';
COMMENT ON COLUMN reporting.shares.actual_percent IS
    'assigned_count in percent of what all were given of the source; NULL if nobody was.';
COMMENT ON COLUMN reporting.shares.deviation_points IS 'actual_percent less expected_percent, in percentage points.';
COMMENT ON COLUMN reporting.shares.limited IS
    'Whether the operator held max_load contacts, from all sources, at any moment of these hours: then others got what was due by weight.';

-- Default privileges may have given these to others, and with them the right to make triggers.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT t.oid::regclass AS name,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
        FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS a
        WHERE t.oid IN (
                'public.contact_steps'::regclass, 'public.contact_tallies'::regclass,
                'public.contact_tallies_now'::regclass, 'public.assignment_tallies'::regclass,
                'public.assignment_tallies_now'::regclass, 'public.tally_progress'::regclass,
                'public.operator_full_hours'::regclass)
            AND a.grantee <> t.relowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', granted.name, granted.grantee);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_reporting') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_reporting;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_service;
        GRANT SELECT, INSERT, UPDATE ON public.contact_tallies, public.assignment_tallies TO leads_crm_service;
        GRANT SELECT, UPDATE ON public.tally_progress TO leads_crm_service;
        GRANT SELECT ON public.contact_steps, public.contact_tallies_now, public.assignment_tallies_now,
            public.operator_full_hours TO leads_crm_service;
    END IF;
END
$$;
