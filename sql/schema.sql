-- The schema as all migrations leave it, to be read; sql/migrations make it. A test compares the two.
-- Written by WRITE_SCHEMA=1 scripts/test --filter SchemaTests
-- The queries of views are spelled as by PostgreSQL 15.

CREATE SCHEMA reporting;

COMMENT ON SCHEMA reporting IS 'Views for reports. Times are in the session''s time zone.';

CREATE FUNCTION public.add_to_distribution_counts(source_ids bigint[], operator_ids bigint[], changes bigint[], active_changes bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- A pair's first contact makes its row; the CHECK on the count holds for the proposed row too, hence the 0.
    INSERT INTO public.distribution_counts AS c (source_id, operator_id, contacts_count)
    SELECT d.source_id, d.operator_id, 0
    FROM unnest(source_ids, operator_ids) AS d (source_id, operator_id)
    WHERE NOT EXISTS (
        SELECT FROM public.distribution_counts AS k
        WHERE k.source_id = d.source_id AND COALESCE(k.operator_id, 0) = COALESCE(d.operator_id, 0))
    ORDER BY d.source_id, d.operator_id
    ON CONFLICT (source_id, (COALESCE(operator_id, 0))) DO NOTHING;

    UPDATE public.distribution_counts c
    SET contacts_count = c.contacts_count + d.change, active_count = c.active_count + d.active_change
    FROM unnest(source_ids, operator_ids, changes, active_changes) AS d (source_id, operator_id, change, active_change)
    WHERE c.source_id = d.source_id AND COALESCE(c.operator_id, 0) = COALESCE(d.operator_id, 0);
END
$$;

CREATE FUNCTION public.add_to_loads(operator_ids bigint[], changes bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM FROM public.operators WHERE id = ANY (operator_ids) ORDER BY id FOR NO KEY UPDATE;
    UPDATE public.operators o SET current_load = o.current_load + d.change
    FROM unnest(operator_ids, changes) AS d (operator_id, change)
    WHERE o.id = d.operator_id;
END
$$;

CREATE FUNCTION public.api_keys_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    UPDATE public.api_keys_revision SET revision = revision + 1;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.contacts_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, -count(*) AS change FROM deleted
          WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id) AS d
    HAVING count(*) > 0;

    PERFORM public.add_to_distribution_counts(
        array_agg(source_id), array_agg(operator_id), array_agg(change), array_agg(active_change))
    FROM (SELECT source_id, operator_id, -count(*) AS change,
              -count(operator_id) FILTER (WHERE status = 'active') AS active_change
          FROM deleted GROUP BY source_id, operator_id) AS d
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.contacts_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.contacts_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- A snapshot from before the table was locked may lack counters that are there by now.
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'contacts are not truncated in a transaction that is %', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state', HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED';
    END IF;
    PERFORM public.add_to_loads(array_agg(id), array_agg(-current_load::bigint))
    FROM public.operators WHERE current_load > 0
    HAVING count(*) > 0;
    DELETE FROM public.distribution_counts;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.contacts_updated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_hashjoin TO 'on'
    AS $$
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

CREATE FUNCTION public.distribution_counts_refuse_overload() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    allowed integer;
BEGIN
    SELECT w.max_load INTO allowed FROM public.operator_source_weights AS w
    WHERE w.source_id = NEW.source_id AND w.operator_id = NEW.operator_id;
    IF NEW.active_count > allowed THEN
        RAISE EXCEPTION 'operator % cannot hold % active contacts of source %: max_load of the weight is %',
            NEW.operator_id, NEW.active_count, NEW.source_id, allowed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'distribution_counts_no_overload', TABLE = TG_TABLE_NAME,
                  SCHEMA = TG_TABLE_SCHEMA;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.operators_note_fullness() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.operator_full_hours AS f (operator_id, hour, is_full)
    VALUES (NEW.id, date_trunc('hour', now(), 'UTC'), NEW.current_load >= NEW.max_load)
    ON CONFLICT (operator_id, hour) DO UPDATE SET is_full = EXCLUDED.is_full;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.operators_refuse_load_by_hand() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'current_load counts the active contacts of operator % and is not set by hand', NEW.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'operators_load_is_counted', TABLE = TG_TABLE_NAME,
              SCHEMA = TG_TABLE_SCHEMA;
END
$$;

CREATE FUNCTION public.operators_refuse_overload() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'operator % cannot hold % active contacts: max_load is %', NEW.id, NEW.current_load, NEW.max_load
        USING ERRCODE = 'check_violation', CONSTRAINT = 'operators_no_overload', TABLE = TG_TABLE_NAME,
              SCHEMA = TG_TABLE_SCHEMA;
END
$$;

CREATE TABLE public.api_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    source_ids bigint[],
    rate_limit integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT api_keys_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT api_keys_id_check CHECK ((id ~ '^[0-9A-Za-z]{8}$'::text)),
    CONSTRAINT api_keys_rate_limit_check CHECK ((rate_limit >= 1)),
    CONSTRAINT api_keys_scopes_check CHECK (((COALESCE(array_ndims(scopes), 0) = 1) AND (scopes <@ ARRAY['register'::text, 'read'::text, 'operate'::text, 'metrics'::text, 'admin'::text]))),
    CONSTRAINT api_keys_source_ids_check CHECK (((cardinality(source_ids) = 0) OR ((array_ndims(source_ids) = 1) AND (array_position(source_ids, NULL::bigint) IS NULL))))
);

COMMENT ON TABLE public.api_keys IS 'Keys to the API. To revoke one, delete its row: instances notice within seconds.';

COMMENT ON COLUMN public.api_keys.id IS 'The part of the key that names it.';

COMMENT ON COLUMN public.api_keys.hash IS 'SHA-256 of the whole key.';

COMMENT ON COLUMN public.api_keys.scopes IS 'What it allows: register, read, operate, metrics, admin.';

COMMENT ON COLUMN public.api_keys.source_ids IS 'The sources at which it registers contacts; NULL: all.';

COMMENT ON COLUMN public.api_keys.rate_limit IS 'Requests a second, at each instance; NULL: without limit.';

CREATE TABLE public.api_keys_revision (
    revision bigint NOT NULL
);

COMMENT ON TABLE public.api_keys_revision IS 'One row, which changes with api_keys: instances look at it every two seconds.';

CREATE TABLE public.assignment_batches (
    id uuid NOT NULL,
    attempt integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.assignment_batches IS 'Batches that committed lately: tells an instance that lost its connection during COMMIT what became of it.';

COMMENT ON COLUMN public.assignment_batches.attempt IS 'Which run of the batch it was that committed.';

CREATE TABLE public.assignment_decisions (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    record bytea NOT NULL
);
ALTER TABLE ONLY public.assignment_decisions ALTER COLUMN record SET STORAGE EXTERNAL;

COMMENT ON TABLE public.assignment_decisions IS 'How transactions of the lane decided who takes what: the operators as they were, and each step.';

COMMENT ON COLUMN public.assignment_decisions.record IS 'In a form that the service reads: every choice can be made again from it.';

ALTER TABLE public.assignment_decisions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.assignment_decisions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.assignment_gate (
    CONSTRAINT assignment_gate_empty CHECK (false)
);

COMMENT ON TABLE public.assignment_gate IS 'Never holds a row. Instances lock it before their snapshot is taken, so that they queue instead of failing with 40001.';

CREATE TABLE public.assignment_tallies (
    hour timestamp with time zone NOT NULL,
    source_id bigint NOT NULL,
    operator_id bigint NOT NULL,
    n integer NOT NULL
);

COMMENT ON TABLE public.assignment_tallies IS 'How many contacts of each source each operator was given in each hour, transfers aside; rolled up from contact_events.';

CREATE TABLE public.contact_events (
    id bigint NOT NULL,
    contact_id bigint NOT NULL,
    source_id bigint NOT NULL,
    operator_id bigint,
    status text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    cause text,
    actor text,
    decision_id bigint
);

COMMENT ON TABLE public.contact_events IS 'What each contact became, in order: written by triggers when it is created and when operator or status change.';

COMMENT ON COLUMN public.contact_events.created_at IS 'When the contact says that it changed: its created_at or updated_at.';

COMMENT ON COLUMN public.contact_events.cause IS 'Why: registered, place_freed, operator_activated, limit_raised, distribution_changed, transfer, release, requeue, close, reopen, sweep or sql; NULL: from before causes were kept.';

COMMENT ON COLUMN public.contact_events.actor IS 'Who did it: sql: and a role of the database; NULL: the service.';

COMMENT ON COLUMN public.contact_events.decision_id IS 'How it was decided, in assignment_decisions for some time.';

CREATE TABLE public.contacts (
    id bigint NOT NULL,
    lead_id bigint NOT NULL,
    source_id bigint NOT NULL,
    operator_id bigint,
    status text DEFAULT 'active'::text NOT NULL,
    message text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone,
    priority integer DEFAULT 0 NOT NULL,
    CONSTRAINT contacts_priority_check CHECK (((priority >= 0) AND (priority <= 9))),
    CONSTRAINT contacts_status_check CHECK ((status = ANY (ARRAY['active'::text, 'closed'::text])))
);

COMMENT ON TABLE public.contacts IS 'Messages of leads to sources, each given to at most one operator.';

COMMENT ON COLUMN public.contacts.operator_id IS 'Who has the contact; an active contact without an operator waits.';

COMMENT ON COLUMN public.contacts.status IS 'active: counts towards the operator''s load, or waits; closed: neither.';

COMMENT ON COLUMN public.contacts.priority IS '0 to 9. Of those who wait the highest comes first, then the smallest id.';

CREATE VIEW public.contact_steps AS
 SELECT e.id AS event_id,
    e.created_at AS event_at,
    e.source_id,
    e.operator_id,
    s.kind,
    s.at,
    date_trunc('hour'::text, s.at, 'UTC'::text) AS hour
   FROM ((public.contact_events e
     LEFT JOIN LATERAL ( SELECT p_1.id,
            p_1.operator_id,
            p_1.status,
            p_1.created_at
           FROM public.contact_events p_1
          WHERE ((p_1.contact_id = e.contact_id) AND (p_1.id < e.id))
          ORDER BY p_1.id DESC
         LIMIT 1) p ON (true))
     CROSS JOIN LATERAL ( SELECT f.kind,
            COALESCE(( SELECT c.created_at
                   FROM public.contacts c
                  WHERE (c.id = e.contact_id)), e.created_at) AS at
           FROM ( VALUES (('-2'::integer)::smallint), ((0)::smallint)) f(kind)
          WHERE ((p.id IS NULL) AND ((f.kind < 0) OR (e.operator_id IS NOT NULL)))
        UNION ALL
         SELECT (
                CASE
                    WHEN (w.seconds < (0.001)::double precision) THEN (0)::double precision
                    ELSE LEAST(((1)::double precision + floor((((4)::double precision * ln((w.seconds * (1000)::double precision))) / ln((2.0)::double precision)))), (200)::double precision)
                END)::smallint AS "least",
            e.created_at
           FROM ( SELECT (EXTRACT(epoch FROM (e.created_at - p.created_at)))::double precision AS seconds) w
          WHERE ((p.operator_id IS NULL) AND (p.id IS NOT NULL) AND (e.operator_id IS NOT NULL) AND (e.status = 'active'::text))
        UNION ALL
         SELECT ('-1'::integer)::smallint AS int2,
            e.created_at
          WHERE ((e.status = 'closed'::text) AND (p.status IS DISTINCT FROM 'closed'::text))) s);

COMMENT ON VIEW public.contact_steps IS 'What contact_events tell, to be counted: fast for a span of event_id or event_at.';

COMMENT ON COLUMN public.contact_steps.kind IS '-2: registered; -1: closed; from 0 on: given to an operator by somebody who had none, after a wait of this class.';

COMMENT ON COLUMN public.contact_steps.at IS 'When it happened.';

CREATE TABLE public.tally_progress (
    rolled_to bigint NOT NULL,
    next_to bigint NOT NULL,
    next_xid xid8 NOT NULL,
    CONSTRAINT tally_progress_order CHECK ((rolled_to <= next_to))
);

COMMENT ON TABLE public.tally_progress IS 'How far contact_events are rolled up: one row.';

COMMENT ON COLUMN public.tally_progress.rolled_to IS 'The last event that the tallies have.';

COMMENT ON COLUMN public.tally_progress.next_to IS 'The last event that they can have once all transactions before next_xid have ended: ids become visible out of order.';

CREATE VIEW public.assignment_tallies_now AS
 SELECT assignment_tallies.hour,
    assignment_tallies.source_id,
    assignment_tallies.operator_id,
    assignment_tallies.n
   FROM public.assignment_tallies
UNION ALL
 SELECT contact_steps.hour,
    contact_steps.source_id,
    contact_steps.operator_id,
    1 AS n
   FROM public.contact_steps
  WHERE ((contact_steps.event_id > ( SELECT tally_progress.rolled_to
           FROM public.tally_progress)) AND (contact_steps.kind >= 0));

COMMENT ON VIEW public.assignment_tallies_now IS 'assignment_tallies, with what is not rolled up yet in rows of its own.';

ALTER TABLE public.contact_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.contact_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.contact_tallies (
    source_id bigint NOT NULL,
    hour timestamp with time zone NOT NULL,
    kind smallint NOT NULL,
    n integer NOT NULL
);

COMMENT ON TABLE public.contact_tallies IS 'How many contacts were registered, assigned and closed in each hour, by source and together; rolled up from contact_events.';

COMMENT ON COLUMN public.contact_tallies.source_id IS '0: all sources.';

COMMENT ON COLUMN public.contact_tallies.hour IS 'When the hour begins; of UTC.';

COMMENT ON COLUMN public.contact_tallies.kind IS '-2: registered; -1: closed; 0: assigned at once; k > 0: assigned after 2^((k-1)/4) to 2^(k/4) milliseconds of waiting.';

CREATE VIEW public.contact_tallies_now AS
 SELECT contact_tallies.source_id,
    contact_tallies.hour,
    contact_tallies.kind,
    contact_tallies.n
   FROM public.contact_tallies
UNION ALL
 SELECT a.source_id,
    s.hour,
    s.kind,
    1 AS n
   FROM (public.contact_steps s
     CROSS JOIN LATERAL ( VALUES (s.source_id), (0)) a(source_id))
  WHERE (s.event_id > ( SELECT tally_progress.rolled_to
           FROM public.tally_progress));

COMMENT ON VIEW public.contact_tallies_now IS 'contact_tallies, with what is not rolled up yet in rows of its own.';

ALTER TABLE public.contacts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.contacts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.distribution_counts (
    source_id bigint NOT NULL,
    operator_id bigint,
    contacts_count bigint NOT NULL,
    active_count integer DEFAULT 0 NOT NULL,
    CONSTRAINT distribution_counts_active_count_check CHECK ((active_count >= 0)),
    CONSTRAINT distribution_counts_contacts_count_check CHECK ((contacts_count >= 0))
)
WITH (fillfactor='50');

COMMENT ON TABLE public.distribution_counts IS 'Contacts of each source by operator, whatever their status; kept by triggers. A pair that had one keeps its row.';

COMMENT ON COLUMN public.distribution_counts.active_count IS 'Those of them that are active and have an operator; kept by triggers, and held to the weight''s max_load.';

CREATE TABLE public.idempotency_keys (
    key text NOT NULL COLLATE pg_catalog."C",
    entry integer NOT NULL,
    fingerprint text NOT NULL,
    status integer,
    body text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_status_check CHECK (((status >= 200) AND (status <= 299)))
);

COMMENT ON TABLE public.idempotency_keys IS 'Answers to requests with an Idempotency-Key: the same request is answered with them again, and changes nothing.';

COMMENT ON COLUMN public.idempotency_keys.entry IS '0: the request; from 1 on an entry of a batch of contacts, which counts by itself.';

COMMENT ON COLUMN public.idempotency_keys.fingerprint IS 'A digest of the request''s method, target and body.';

COMMENT ON COLUMN public.idempotency_keys.status IS 'Of HTTP; NULL: the request has entries, which have the answers.';

COMMENT ON COLUMN public.idempotency_keys.body IS 'The answer, byte for byte.';

CREATE TABLE public.leads (
    id bigint NOT NULL,
    external_id text,
    phone text,
    email text,
    name text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone,
    CONSTRAINT leads_email_check CHECK ((email <> ''::text)),
    CONSTRAINT leads_external_id_check CHECK ((external_id <> ''::text)),
    CONSTRAINT leads_phone_check CHECK ((phone <> ''::text))
);

COMMENT ON TABLE public.leads IS 'People who write in. Identifiers are stored normalised.';

ALTER TABLE public.leads ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.leads_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.maintenance_jobs (
    name text NOT NULL,
    due_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.maintenance_jobs IS 'Work that instances do now and then: whoever finds a job due moves due_at on and does it.';

CREATE TABLE public.operator_full_hours (
    operator_id bigint NOT NULL,
    hour timestamp with time zone NOT NULL,
    is_full boolean NOT NULL
);

COMMENT ON TABLE public.operator_full_hours IS 'The hours in which an operator became full or ceased to be: in each of them there was a time without room.';

COMMENT ON COLUMN public.operator_full_hours.is_full IS 'Whether the operator was full at the end of the hour, and until the next row.';

CREATE TABLE public.operator_source_weights (
    id bigint NOT NULL,
    operator_id bigint NOT NULL,
    source_id bigint NOT NULL,
    weight integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    max_load integer,
    credit bigint,
    given_at timestamp with time zone,
    CONSTRAINT operator_source_weights_max_load_check CHECK ((max_load >= 1)),
    CONSTRAINT operator_source_weights_weight_check CHECK ((weight >= 1))
)
WITH (fillfactor='50');

COMMENT ON TABLE public.operator_source_weights IS 'Who takes the contacts of a source, and in what shares.';

COMMENT ON COLUMN public.operator_source_weights.weight IS 'The share of the source''s contacts is weight / sum of the weights of those available at that moment.';

COMMENT ON COLUMN public.operator_source_weights.max_load IS 'The most active contacts of the source that the operator may hold; NULL: only the operator''s own max_load counts.';

COMMENT ON COLUMN public.operator_source_weights.credit IS 'For smooth_weighted: what is owed, of which a contact takes the sum of weights; NULL for who was not available last.';

COMMENT ON COLUMN public.operator_source_weights.given_at IS 'For smooth_weighted and least_loaded: when the operator was last given a contact of the source.';

ALTER TABLE public.operator_source_weights ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operator_source_weights_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.operators (
    id bigint NOT NULL,
    name text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    max_load integer DEFAULT 10 NOT NULL,
    current_load integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone,
    CONSTRAINT operators_current_load_check CHECK ((current_load >= 0)),
    CONSTRAINT operators_max_load_check CHECK ((max_load >= 1))
)
WITH (fillfactor='50');

COMMENT ON TABLE public.operators IS 'People who take contacts.';

COMMENT ON COLUMN public.operators.is_active IS 'Whether new contacts may be given to this operator.';

COMMENT ON COLUMN public.operators.max_load IS 'The most active contacts the operator may hold at once.';

COMMENT ON COLUMN public.operators.current_load IS 'Active contacts the operator holds; kept by triggers on contacts.';

ALTER TABLE public.operators ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sources (
    id bigint NOT NULL,
    name text NOT NULL,
    description text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    strategy text DEFAULT 'weighted_random'::text NOT NULL,
    sticky boolean DEFAULT false NOT NULL,
    CONSTRAINT sources_strategy_check CHECK ((strategy = ANY (ARRAY['weighted_random'::text, 'smooth_weighted'::text, 'least_loaded'::text])))
);

COMMENT ON TABLE public.sources IS 'Where contacts come from: bots, forms, mailboxes.';

COMMENT ON COLUMN public.sources.strategy IS 'By what contacts go to those who are available: weighted_random, smooth_weighted or least_loaded.';

COMMENT ON COLUMN public.sources.sticky IS 'Whether a lead who comes back goes to the operator of their last contact, if that one may have it.';

ALTER TABLE public.sources ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.sources_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW reporting.assignment_delay AS
 SELECT date_trunc('hour'::text, e.first_at) AS hour,
    e.source_id,
    s.name AS source_name,
    count(*) AS assigned_count,
    count(*) FILTER (WHERE (e.delay > (0)::numeric)) AS waited_count,
    percentile_disc((0.5)::double precision) WITHIN GROUP (ORDER BY e.delay) AS median_seconds,
    percentile_disc((0.9)::double precision) WITHIN GROUP (ORDER BY e.delay) AS p90_seconds,
    max(e.delay) AS max_seconds
   FROM (( SELECT e_1.contact_id,
            e_1.source_id,
            min(e_1.created_at) AS first_at,
            (EXTRACT(epoch FROM (min(e_1.created_at) - c.created_at)))::numeric(12,3) AS delay
           FROM (public.contact_events e_1
             JOIN public.contacts c ON ((c.id = e_1.contact_id)))
          WHERE ((e_1.created_at >= (date_trunc('hour'::text, now()) - '24:00:00'::interval)) AND (e_1.operator_id IS NOT NULL) AND (e_1.status = 'active'::text) AND (c.created_at >= (date_trunc('hour'::text, now()) - '24:00:00'::interval)))
          GROUP BY e_1.contact_id, e_1.source_id, c.created_at) e
     JOIN public.sources s ON ((s.id = e.source_id)))
  GROUP BY (date_trunc('hour'::text, e.first_at)), e.source_id, s.name;

COMMENT ON VIEW reporting.assignment_delay IS 'How long contacts waited for their first operator: those registered and assigned in the last 24 hours, by hour of assignment and source. Reads those hours only.';

COMMENT ON COLUMN reporting.assignment_delay.hour IS 'The beginning of the hour in which they were assigned.';

COMMENT ON COLUMN reporting.assignment_delay.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.assignment_delay.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.assignment_delay.assigned_count IS 'Contacts that got their first operator in that hour.';

COMMENT ON COLUMN reporting.assignment_delay.waited_count IS 'Those of them that had to wait.';

COMMENT ON COLUMN reporting.assignment_delay.median_seconds IS 'The median delay, in seconds.';

COMMENT ON COLUMN reporting.assignment_delay.p90_seconds IS 'The delay that nine of ten did not exceed, in seconds.';

COMMENT ON COLUMN reporting.assignment_delay.max_seconds IS 'The longest delay, in seconds.';

CREATE VIEW reporting.contact_events AS
 SELECT e.id AS event_id,
    e.contact_id,
    e.source_id,
    e.operator_id,
    e.status,
    e.created_at,
    e.cause,
    e.actor
   FROM public.contact_events e;

COMMENT ON VIEW reporting.contact_events IS 'What each contact became, in order: one row when it is registered and for each change of operator or status. Fast for a span of created_at; some ten seconds for all of ten million contacts.';

COMMENT ON COLUMN reporting.contact_events.event_id IS 'The event''s id: later ones are greater.';

COMMENT ON COLUMN reporting.contact_events.contact_id IS 'The contact''s id.';

COMMENT ON COLUMN reporting.contact_events.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.contact_events.operator_id IS 'Who had the contact from then on; NULL: nobody.';

COMMENT ON COLUMN reporting.contact_events.status IS 'active or closed, from then on.';

COMMENT ON COLUMN reporting.contact_events.created_at IS 'When it happened.';

COMMENT ON COLUMN reporting.contact_events.cause IS 'Why: registered, place_freed, operator_activated, limit_raised, distribution_changed, transfer, release, requeue, close, reopen, sweep or sql; NULL: from before causes were kept.';

COMMENT ON COLUMN reporting.contact_events.actor IS 'Who did it: sql: and a role of the database; NULL: the service.';

CREATE VIEW reporting.contacts AS
 SELECT c.id AS contact_id,
    c.lead_id,
    c.source_id,
    s.name AS source_name,
    c.operator_id,
    o.name AS operator_name,
    c.status,
    c.created_at,
    c.updated_at
   FROM ((public.contacts c
     JOIN public.sources s ON ((s.id = c.source_id)))
     LEFT JOIN public.operators o ON ((o.id = c.operator_id)));

COMMENT ON VIEW reporting.contacts IS 'Every contact. Fast for a span of created_at, an operator, a source, a lead, or those who wait; some ten seconds for all of ten million.';

COMMENT ON COLUMN reporting.contacts.contact_id IS 'The contact''s id.';

COMMENT ON COLUMN reporting.contacts.lead_id IS 'The lead''s id, as in leads_overview.';

COMMENT ON COLUMN reporting.contacts.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.contacts.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.contacts.operator_id IS 'Who has the contact; an active contact without an operator waits.';

COMMENT ON COLUMN reporting.contacts.operator_name IS 'The operator''s name.';

COMMENT ON COLUMN reporting.contacts.status IS 'active or closed.';

COMMENT ON COLUMN reporting.contacts.created_at IS 'When the contact was registered.';

COMMENT ON COLUMN reporting.contacts.updated_at IS 'When it last changed; NULL: never.';

CREATE VIEW reporting.contacts_per_hour AS
 SELECT date_trunc('hour'::text, c.created_at) AS hour,
    c.source_id,
    s.name AS source_name,
    count(*) AS contacts_count,
    count(*) FILTER (WHERE (c.operator_id IS NULL)) AS without_operator,
    count(*) FILTER (WHERE (c.status = 'closed'::text)) AS closed
   FROM (public.contacts c
     JOIN public.sources s ON ((s.id = c.source_id)))
  WHERE (c.created_at >= (date_trunc('hour'::text, now()) - '7 days'::interval))
  GROUP BY (date_trunc('hour'::text, c.created_at)), c.source_id, s.name;

COMMENT ON VIEW reporting.contacts_per_hour IS 'Contacts registered in each hour of the last 7 days, by source. Reads those days only; their number decides.';

COMMENT ON COLUMN reporting.contacts_per_hour.hour IS 'The beginning of the hour.';

COMMENT ON COLUMN reporting.contacts_per_hour.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.contacts_per_hour.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.contacts_per_hour.contacts_count IS 'Contacts registered in that hour.';

COMMENT ON COLUMN reporting.contacts_per_hour.without_operator IS 'Those of them that have no operator now.';

COMMENT ON COLUMN reporting.contacts_per_hour.closed IS 'Those of them that are closed now.';

CREATE VIEW reporting.distribution AS
 SELECT s.id AS source_id,
    s.name AS source_name,
    o.id AS operator_id,
    o.name AS operator_name,
    w.weight,
    COALESCE(d.contacts_count, (0)::bigint) AS contacts_count,
    round(((100.0 * (w.weight)::numeric) / (sum(w.weight) OVER of_source)::numeric), 2) AS expected_percent,
    round(((100.0 * (COALESCE(d.contacts_count, (0)::bigint))::numeric) / NULLIF(sum(d.contacts_count) OVER of_source, (0)::numeric)), 2) AS actual_percent,
    (round(((100.0 * (COALESCE(d.contacts_count, (0)::bigint))::numeric) / NULLIF(sum(d.contacts_count) OVER of_source, (0)::numeric)), 2) - round(((100.0 * (w.weight)::numeric) / (sum(w.weight) OVER of_source)::numeric), 2)) AS deviation_points
   FROM (((public.operator_source_weights w
     JOIN public.sources s ON ((s.id = w.source_id)))
     JOIN public.operators o ON ((o.id = w.operator_id)))
     LEFT JOIN public.distribution_counts d ON (((d.source_id = w.source_id) AND (COALESCE(d.operator_id, (0)::bigint) = w.operator_id))))
  WINDOW of_source AS (PARTITION BY w.source_id);

COMMENT ON VIEW reporting.distribution IS 'How the contacts of each source were shared among the operators who have a weight there, and how they should be while everybody has room. Reads counters: fast at any size.';

COMMENT ON COLUMN reporting.distribution.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.distribution.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.distribution.operator_id IS 'The operator''s id.';

COMMENT ON COLUMN reporting.distribution.operator_name IS 'The operator''s name.';

COMMENT ON COLUMN reporting.distribution.weight IS 'The operator''s weight at the source, today.';

COMMENT ON COLUMN reporting.distribution.contacts_count IS 'Contacts of the source that the operator has, whatever their status.';

COMMENT ON COLUMN reporting.distribution.expected_percent IS 'weight in percent of the sum of the source''s weights.';

COMMENT ON COLUMN reporting.distribution.actual_percent IS 'contacts_count in percent of all that these operators have of the source; NULL if none.';

COMMENT ON COLUMN reporting.distribution.deviation_points IS 'actual_percent less expected_percent, in percentage points.';

CREATE VIEW reporting.integrity AS
 SELECT 'operator load'::text AS counter,
    NULL::bigint AS source_id,
    o.id AS operator_id,
    (o.current_load)::bigint AS kept,
    COALESCE(c.n, (0)::bigint) AS counted
   FROM (public.operators o
     LEFT JOIN ( SELECT contacts.operator_id,
            count(*) AS n
           FROM public.contacts
          WHERE ((contacts.status = 'active'::text) AND (contacts.operator_id IS NOT NULL))
          GROUP BY contacts.operator_id) c ON ((c.operator_id = o.id)))
  WHERE (o.current_load <> COALESCE(c.n, (0)::bigint))
UNION ALL
 SELECT k.counter,
    COALESCE(d.source_id, c.source_id) AS source_id,
    COALESCE(d.operator_id, c.operator_id) AS operator_id,
    k.kept,
    k.counted
   FROM ((public.distribution_counts d
     FULL JOIN ( SELECT contacts.source_id,
            contacts.operator_id,
            count(*) AS n,
            count(contacts.operator_id) FILTER (WHERE (contacts.status = 'active'::text)) AS active
           FROM public.contacts
          GROUP BY contacts.source_id, contacts.operator_id) c ON (((c.source_id = d.source_id) AND (COALESCE(c.operator_id, (0)::bigint) = COALESCE(d.operator_id, (0)::bigint)))))
     CROSS JOIN LATERAL ( VALUES ('distribution count'::text,COALESCE(d.contacts_count, (0)::bigint),COALESCE(c.n, (0)::bigint)), ('share load'::text,(COALESCE(d.active_count, 0))::bigint,COALESCE(c.active, (0)::bigint))) k(counter, kept, counted))
  WHERE (k.kept <> k.counted);

COMMENT ON VIEW reporting.integrity IS 'Counters that differ from a recount: empty when all is well. Counts every contact, seconds for ten million: a check that trusted a counter would be none.';

COMMENT ON COLUMN reporting.integrity.counter IS 'Which counter: operator load, distribution count or share load.';

COMMENT ON COLUMN reporting.integrity.source_id IS 'The source it counts for; NULL for a load.';

COMMENT ON COLUMN reporting.integrity.operator_id IS 'The operator it counts for; NULL: contacts without one.';

COMMENT ON COLUMN reporting.integrity.kept IS 'What the triggers have counted.';

COMMENT ON COLUMN reporting.integrity.counted IS 'What a recount finds.';

CREATE VIEW reporting.leads_overview AS
 SELECT l.id AS lead_id,
    ('***'::text ||
        CASE
            WHEN (length(l.phone) > 7) THEN "right"(l.phone, 4)
            ELSE ''::text
        END) AS masked_phone,
    (("left"(l.email, 1) || '***@'::text) || split_part(l.email, '@'::text, 2)) AS masked_email,
    c.contacts_count,
    c.active_count,
    c.last_contact_at,
    l.created_at
   FROM (public.leads l
     CROSS JOIN LATERAL ( SELECT count(*) AS contacts_count,
            count(*) FILTER (WHERE (c_1.status = 'active'::text)) AS active_count,
            max(c_1.created_at) AS last_contact_at
           FROM public.contacts c_1
          WHERE (c_1.lead_id = l.id)) c);

COMMENT ON VIEW reporting.leads_overview IS 'Leads with their numbers of contacts, phones and emails masked. Each row reads that lead''s contacts: fast for some leads (WHERE lead_id …, ORDER BY lead_id LIMIT …), minutes for millions.';

COMMENT ON COLUMN reporting.leads_overview.lead_id IS 'The lead''s id.';

COMMENT ON COLUMN reporting.leads_overview.masked_phone IS 'Asterisks and the phone''s last four characters; no character of a phone of seven or fewer.';

COMMENT ON COLUMN reporting.leads_overview.masked_email IS 'The email''s first character and its domain.';

COMMENT ON COLUMN reporting.leads_overview.contacts_count IS 'All contacts of the lead.';

COMMENT ON COLUMN reporting.leads_overview.active_count IS 'Those of them that are active.';

COMMENT ON COLUMN reporting.leads_overview.last_contact_at IS 'When the last one was registered.';

COMMENT ON COLUMN reporting.leads_overview.created_at IS 'When the lead was first seen.';

CREATE VIEW reporting.shares AS
 SELECT s.id AS source_id,
    s.name AS source_name,
    o.id AS operator_id,
    o.name AS operator_name,
    d.weight,
    COALESCE(d.expected, (0)::numeric) AS expected_percent,
    d.assigned AS assigned_count,
    d.actual AS actual_percent,
    (d.actual - COALESCE(d.expected, (0)::numeric)) AS deviation_points,
    ((EXISTS ( SELECT
           FROM public.operator_full_hours f
          WHERE ((f.operator_id = o.id) AND (f.hour >= (date_trunc('hour'::text, now(), 'UTC'::text) - '24:00:00'::interval))))) OR COALESCE(( SELECT f.is_full
           FROM public.operator_full_hours f
          WHERE (f.operator_id = o.id)
          ORDER BY f.hour DESC
         LIMIT 1), false)) AS limited
   FROM ((( SELECT source_id,
            operator_id,
            w.weight,
            COALESCE(g.n, (0)::bigint) AS assigned,
            round(((100.0 * (COALESCE(w.weight, 0))::numeric) / (NULLIF(sum(w.weight) OVER of_source, 0))::numeric), 2) AS expected,
            round(((100.0 * (COALESCE(g.n, (0)::bigint))::numeric) / NULLIF(sum(g.n) OVER of_source, (0)::numeric)), 2) AS actual
           FROM (public.operator_source_weights w
             FULL JOIN ( SELECT assignment_tallies_now.source_id,
                    assignment_tallies_now.operator_id,
                    sum(assignment_tallies_now.n) AS n
                   FROM public.assignment_tallies_now
                  WHERE (assignment_tallies_now.hour >= (date_trunc('hour'::text, now(), 'UTC'::text) - '24:00:00'::interval))
                  GROUP BY assignment_tallies_now.source_id, assignment_tallies_now.operator_id) g USING (source_id, operator_id))
          WINDOW of_source AS (PARTITION BY source_id)) d
     JOIN public.sources s ON ((s.id = d.source_id)))
     JOIN public.operators o ON ((o.id = d.operator_id)));

COMMENT ON VIEW reporting.shares IS 'How the contacts of each source were shared in the last 24 hours and this one, beside what the weights say, and who was full meanwhile, so that limits decided. Reads tallies by the hour.';

COMMENT ON COLUMN reporting.shares.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.shares.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.shares.operator_id IS 'The operator''s id.';

COMMENT ON COLUMN reporting.shares.operator_name IS 'The operator''s name.';

COMMENT ON COLUMN reporting.shares.weight IS 'The operator''s weight at the source, today; NULL: none.';

COMMENT ON COLUMN reporting.shares.expected_percent IS 'weight in percent of the sum of the source''s weights.';

COMMENT ON COLUMN reporting.shares.assigned_count IS 'Contacts given to the operator while they had none.';

COMMENT ON COLUMN reporting.shares.actual_percent IS 'assigned_count in percent of what all were given of the source; NULL if nobody was.';

COMMENT ON COLUMN reporting.shares.deviation_points IS 'actual_percent less expected_percent, in percentage points.';

COMMENT ON COLUMN reporting.shares.limited IS 'Whether the operator held max_load contacts, from all sources, at any moment of these hours: then others got what was due by weight.';

CREATE VIEW reporting.limits AS
 SELECT d.source_id,
    d.source_name,
    d.operator_id,
    d.operator_name,
    d.weight,
    d.assigned_count,
    round(((d.expected_percent * d.total) / (100)::numeric), 1) AS due_count,
    (round(((d.expected_percent * d.total) / (100)::numeric), 1) - (d.assigned_count)::numeric) AS missed_count,
    ( SELECT count(*) AS count
           FROM generate_series((date_trunc('hour'::text, now(), 'UTC'::text) - '24:00:00'::interval), date_trunc('hour'::text, now(), 'UTC'::text), '01:00:00'::interval) h(hour)
          WHERE ((EXISTS ( SELECT
                   FROM public.operator_full_hours f
                  WHERE ((f.operator_id = d.operator_id) AND (f.hour = h.hour)))) OR COALESCE(( SELECT f.is_full
                   FROM public.operator_full_hours f
                  WHERE ((f.operator_id = d.operator_id) AND (f.hour < h.hour))
                  ORDER BY f.hour DESC
                 LIMIT 1), false))) AS full_hours
   FROM ( SELECT s.source_id,
            s.source_name,
            s.operator_id,
            s.operator_name,
            s.weight,
            s.expected_percent,
            s.assigned_count,
            s.actual_percent,
            s.deviation_points,
            s.limited,
            sum(s.assigned_count) OVER (PARTITION BY s.source_id) AS total
           FROM reporting.shares s) d
  WHERE d.limited;

COMMENT ON VIEW reporting.limits IS 'What limits did to shares in the last 24 hours and this one: the operators who were full for part of that time, and how many contacts of each source they were given less than their weights say. Reads tallies by the hour.';

COMMENT ON COLUMN reporting.limits.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.limits.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.limits.operator_id IS 'The operator''s id.';

COMMENT ON COLUMN reporting.limits.operator_name IS 'The operator''s name.';

COMMENT ON COLUMN reporting.limits.weight IS 'The operator''s weight at the source, today; NULL: none.';

COMMENT ON COLUMN reporting.limits.assigned_count IS 'Contacts given to the operator while they had none.';

COMMENT ON COLUMN reporting.limits.due_count IS 'As many as the weight says of all that were given of the source.';

COMMENT ON COLUMN reporting.limits.missed_count IS 'due_count less assigned_count; below 0: others missed more.';

COMMENT ON COLUMN reporting.limits.full_hours IS 'In how many of these 25 hours the operator was full at some moment.';

CREATE VIEW reporting.operator_load AS
 SELECT o.id AS operator_id,
    o.name AS operator_name,
    o.is_active,
    o.current_load,
    o.max_load,
    GREATEST((o.max_load - o.current_load), 0) AS free_places,
    round(((100.0 * (o.current_load)::numeric) / (o.max_load)::numeric), 1) AS utilisation_percent,
    ( SELECT count(*) AS count
           FROM public.operator_source_weights w
          WHERE (w.operator_id = o.id)) AS sources
   FROM public.operators o;

COMMENT ON VIEW reporting.operator_load IS 'Each operator''s load and limit, now. Reads counters: fast at any size.';

COMMENT ON COLUMN reporting.operator_load.operator_id IS 'The operator''s id.';

COMMENT ON COLUMN reporting.operator_load.operator_name IS 'The operator''s name.';

COMMENT ON COLUMN reporting.operator_load.is_active IS 'Whether new contacts may be given to the operator.';

COMMENT ON COLUMN reporting.operator_load.current_load IS 'Active contacts the operator holds.';

COMMENT ON COLUMN reporting.operator_load.max_load IS 'The most active contacts the operator may hold.';

COMMENT ON COLUMN reporting.operator_load.free_places IS 'How many more contacts fit; 0 if the limit was lowered below the load.';

COMMENT ON COLUMN reporting.operator_load.utilisation_percent IS 'current_load in percent of max_load.';

COMMENT ON COLUMN reporting.operator_load.sources IS 'The number of sources the operator has a weight at.';

CREATE VIEW reporting.releases AS
 SELECT date_trunc('hour'::text, e.created_at) AS hour,
    p.operator_id,
    o.name AS operator_name,
    e.cause,
    count(*) AS taken_count,
    count(e.operator_id) AS reassigned_count,
    (count(*) - count(e.operator_id)) AS waiting_count
   FROM ((public.contact_events e
     CROSS JOIN LATERAL ( SELECT p_1.operator_id
           FROM public.contact_events p_1
          WHERE ((p_1.contact_id = e.contact_id) AND (p_1.id < e.id))
          ORDER BY p_1.id DESC
         LIMIT 1) p)
     JOIN public.operators o ON ((o.id = p.operator_id)))
  WHERE ((e.cause = ANY (ARRAY['release'::text, 'requeue'::text])) AND (e.created_at >= (date_trunc('hour'::text, now()) - '7 days'::interval)))
  GROUP BY (date_trunc('hour'::text, e.created_at)), p.operator_id, o.name, e.cause;

COMMENT ON VIEW reporting.releases IS 'Contacts that were taken from their operators in each hour of the last 7 days, by a release or a requeue, and what became of them at once. Reads those contacts only, by their own index.';

COMMENT ON COLUMN reporting.releases.hour IS 'The beginning of the hour.';

COMMENT ON COLUMN reporting.releases.operator_id IS 'Whom they were taken from.';

COMMENT ON COLUMN reporting.releases.operator_name IS 'The operator''s name.';

COMMENT ON COLUMN reporting.releases.cause IS 'release or requeue.';

COMMENT ON COLUMN reporting.releases.taken_count IS 'How many were taken.';

COMMENT ON COLUMN reporting.releases.reassigned_count IS 'Those of them that went to another operator in the same transaction.';

COMMENT ON COLUMN reporting.releases.waiting_count IS 'Those of them that had to wait.';

CREATE VIEW reporting.waiting AS
 SELECT s.id AS source_id,
    s.name AS source_name,
    w.waiting_count,
    w.oldest_created_at,
    (now() - w.oldest_created_at) AS oldest_age
   FROM (public.sources s
     CROSS JOIN LATERAL ( SELECT count(*) AS waiting_count,
            min(c.created_at) AS oldest_created_at
           FROM public.contacts c
          WHERE ((c.source_id = s.id) AND (c.status = 'active'::text) AND (c.operator_id IS NULL))) w)
  WHERE (w.waiting_count > 0);

COMMENT ON VIEW reporting.waiting IS 'Sources at which contacts wait for an operator. Reads the waiting contacts only, by their own index.';

COMMENT ON COLUMN reporting.waiting.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.waiting.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.waiting.waiting_count IS 'Active contacts without an operator.';

COMMENT ON COLUMN reporting.waiting.oldest_created_at IS 'When the one that waits longest was registered.';

COMMENT ON COLUMN reporting.waiting.oldest_age IS 'How long that one waits already.';

CREATE VIEW reporting.waiting_times AS
 SELECT q.hour,
    q.source_id,
    s.name AS source_name,
    q.registered_count,
    q.assigned_count,
    q.waited_count,
    q.closed_count,
        CASE q.median
            WHEN 0 THEN (0)::numeric
            ELSE round((0.001 * ((2)::numeric ^ (((q.median)::numeric - 0.5) / (4)::numeric))), 3)
        END AS median_seconds,
        CASE q.p90
            WHEN 0 THEN (0)::numeric
            ELSE round((0.001 * ((2)::numeric ^ (((q.p90)::numeric - 0.5) / (4)::numeric))), 3)
        END AS p90_seconds
   FROM (( SELECT t.hour,
            t.source_id,
            COALESCE(sum(t.n) FILTER (WHERE (t.kind = '-2'::integer)), (0)::numeric) AS registered_count,
            COALESCE(sum(t.n) FILTER (WHERE (t.kind >= 0)), (0)::numeric) AS assigned_count,
            COALESCE(sum(t.n) FILTER (WHERE (t.kind > 0)), (0)::numeric) AS waited_count,
            COALESCE(sum(t.n) FILTER (WHERE (t.kind = '-1'::integer)), (0)::numeric) AS closed_count,
            min(t.kind) FILTER (WHERE ((t.kind >= 0) AND (t.so_far >= (0.5 * t.assigned)))) AS median,
            min(t.kind) FILTER (WHERE ((t.kind >= 0) AND (t.so_far >= (0.9 * t.assigned)))) AS p90
           FROM ( SELECT t_1.hour,
                    t_1.source_id,
                    t_1.kind,
                    t_1.n,
                    sum(t_1.n) FILTER (WHERE (t_1.kind >= 0)) OVER of_hour AS assigned,
                    sum(t_1.n) FILTER (WHERE (t_1.kind >= 0)) OVER (of_hour ORDER BY t_1.kind) AS so_far
                   FROM ( SELECT t_2.hour,
                            t_2.source_id,
                            t_2.kind,
                            sum(t_2.n) AS n
                           FROM ( SELECT t_3.hour,
                                    s_1.id AS source_id,
                                    t_3.kind,
                                    t_3.n
                                   FROM (public.sources s_1
                                     CROSS JOIN LATERAL ( SELECT t_4.source_id,
    t_4.hour,
    t_4.kind,
    t_4.n
   FROM public.contact_tallies t_4
  WHERE ((t_4.source_id = s_1.id) AND (t_4.hour >= (date_trunc('hour'::text, now(), 'UTC'::text) - '7 days'::interval)))
 OFFSET 0) t_3)
                                UNION ALL
                                 SELECT contact_steps.hour,
                                    contact_steps.source_id,
                                    contact_steps.kind,
                                    1
                                   FROM public.contact_steps
                                  WHERE ((contact_steps.event_id > ( SELECT tally_progress.rolled_to
   FROM public.tally_progress)) AND (contact_steps.hour >= (date_trunc('hour'::text, now(), 'UTC'::text) - '7 days'::interval)))) t_2
                          GROUP BY t_2.hour, t_2.source_id, t_2.kind) t_1
                  WINDOW of_hour AS (PARTITION BY t_1.hour, t_1.source_id)) t
          GROUP BY t.hour, t.source_id) q
     JOIN public.sources s ON ((s.id = q.source_id)));

COMMENT ON VIEW reporting.waiting_times IS 'What happened at each source in each hour of the last 7 days, and how long those had waited who were given to an operator. Reads tallies by the hour.';

COMMENT ON COLUMN reporting.waiting_times.hour IS 'The beginning of the hour; of UTC.';

COMMENT ON COLUMN reporting.waiting_times.source_id IS 'The source''s id.';

COMMENT ON COLUMN reporting.waiting_times.source_name IS 'The source''s name.';

COMMENT ON COLUMN reporting.waiting_times.registered_count IS 'Contacts that came.';

COMMENT ON COLUMN reporting.waiting_times.assigned_count IS 'Contacts given to an operator while they had none.';

COMMENT ON COLUMN reporting.waiting_times.waited_count IS 'Those of them that had to wait.';

COMMENT ON COLUMN reporting.waiting_times.closed_count IS 'Contacts that were closed.';

COMMENT ON COLUMN reporting.waiting_times.median_seconds IS 'How long half of those assigned had waited at most, to 9 %: waits are counted by classes. NULL without any.';

COMMENT ON COLUMN reporting.waiting_times.p90_seconds IS 'The same for nine of ten.';

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assignment_batches
    ADD CONSTRAINT assignment_batches_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assignment_decisions
    ADD CONSTRAINT assignment_decisions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assignment_tallies
    ADD CONSTRAINT assignment_tallies_pkey PRIMARY KEY (hour, source_id, operator_id);

ALTER TABLE ONLY public.contact_events
    ADD CONSTRAINT contact_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.contact_tallies
    ADD CONSTRAINT contact_tallies_pkey PRIMARY KEY (source_id, hour, kind);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key, entry);

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.maintenance_jobs
    ADD CONSTRAINT maintenance_jobs_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.operator_full_hours
    ADD CONSTRAINT operator_full_hours_pkey PRIMARY KEY (operator_id, hour);

ALTER TABLE ONLY public.operator_source_weights
    ADD CONSTRAINT operator_source_weights_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.operator_source_weights
    ADD CONSTRAINT operator_source_weights_source_id_operator_id_key UNIQUE (source_id, operator_id);

ALTER TABLE ONLY public.operators
    ADD CONSTRAINT operators_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.sources
    ADD CONSTRAINT sources_name_key UNIQUE (name);

ALTER TABLE ONLY public.sources
    ADD CONSTRAINT sources_pkey PRIMARY KEY (id);

CREATE UNIQUE INDEX api_keys_revision_one_row ON public.api_keys_revision USING btree ((true));

CREATE INDEX assignment_batches_created_at_idx ON public.assignment_batches USING btree (created_at);

CREATE INDEX contact_events_contact_id_idx ON public.contact_events USING btree (contact_id, id);

CREATE INDEX contact_events_created_at_idx ON public.contact_events USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX contact_events_taken_idx ON public.contact_events USING btree (created_at) WHERE (cause = ANY (ARRAY['release'::text, 'requeue'::text]));

CREATE INDEX contacts_active_idx ON public.contacts USING btree (id) WHERE (status = 'active'::text);

CREATE INDEX contacts_created_at_idx ON public.contacts USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX contacts_lead_id_idx ON public.contacts USING btree (lead_id, id);

CREATE INDEX contacts_operator_id_idx ON public.contacts USING btree (operator_id, status, id);

CREATE INDEX contacts_queue_idx ON public.contacts USING btree (source_id, priority DESC, id) WHERE ((status = 'active'::text) AND (operator_id IS NULL));

COMMENT ON INDEX public.contacts_queue_idx IS 'Who is first in the queue of a source: AssignmentStatements.waiting.';

CREATE INDEX contacts_source_id_idx ON public.contacts USING btree (source_id, status, id);

CREATE INDEX contacts_waiting_idx ON public.contacts USING btree (source_id, id) WHERE ((status = 'active'::text) AND (operator_id IS NULL));

CREATE UNIQUE INDEX distribution_counts_key ON public.distribution_counts USING btree (source_id, COALESCE(operator_id, (0)::bigint));

CREATE INDEX distribution_counts_operator_id_idx ON public.distribution_counts USING btree (operator_id);

CREATE INDEX idempotency_keys_created_at_idx ON public.idempotency_keys USING btree (created_at);

CREATE UNIQUE INDEX leads_email_key ON public.leads USING btree (email) WHERE (email IS NOT NULL);

CREATE UNIQUE INDEX leads_external_id_key ON public.leads USING btree (external_id) WHERE (external_id IS NOT NULL);

CREATE UNIQUE INDEX leads_phone_key ON public.leads USING btree (phone) WHERE (phone IS NOT NULL);

CREATE INDEX operator_source_weights_operator_id_idx ON public.operator_source_weights USING btree (operator_id, source_id);

CREATE UNIQUE INDEX tally_progress_one_row ON public.tally_progress USING btree ((true));

CREATE TRIGGER api_keys_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.api_keys FOR EACH STATEMENT EXECUTE FUNCTION public.api_keys_changed();

CREATE TRIGGER contacts_deleted AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION public.contacts_deleted();

CREATE TRIGGER contacts_inserted AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION public.contacts_inserted();

CREATE TRIGGER contacts_truncated AFTER TRUNCATE ON public.contacts FOR EACH STATEMENT EXECUTE FUNCTION public.contacts_truncated();

CREATE TRIGGER contacts_updated AFTER UPDATE ON public.contacts REFERENCING OLD TABLE AS before_update NEW TABLE AS after_update FOR EACH STATEMENT EXECUTE FUNCTION public.contacts_updated();

CREATE TRIGGER distribution_counts_no_overload_on_insert AFTER INSERT ON public.distribution_counts FOR EACH ROW WHEN ((new.active_count > 0)) EXECUTE FUNCTION public.distribution_counts_refuse_overload();

CREATE TRIGGER distribution_counts_no_overload_on_update BEFORE UPDATE ON public.distribution_counts FOR EACH ROW WHEN ((new.active_count > old.active_count)) EXECUTE FUNCTION public.distribution_counts_refuse_overload();

CREATE TRIGGER operators_load_is_counted_on_insert BEFORE INSERT ON public.operators FOR EACH ROW WHEN ((new.current_load <> 0)) EXECUTE FUNCTION public.operators_refuse_load_by_hand();

CREATE TRIGGER operators_load_is_counted_on_update BEFORE UPDATE ON public.operators FOR EACH ROW WHEN (((new.current_load <> old.current_load) AND (pg_trigger_depth() = 0))) EXECUTE FUNCTION public.operators_refuse_load_by_hand();

CREATE TRIGGER operators_no_overload BEFORE UPDATE ON public.operators FOR EACH ROW WHEN (((new.current_load > old.current_load) AND (new.current_load > new.max_load))) EXECUTE FUNCTION public.operators_refuse_overload();

CREATE TRIGGER operators_note_fullness AFTER UPDATE ON public.operators FOR EACH ROW WHEN (((new.current_load >= new.max_load) <> (old.current_load >= old.max_load))) EXECUTE FUNCTION public.operators_note_fullness();

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES public.leads(id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.operators(id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.sources(id);

ALTER TABLE ONLY public.distribution_counts
    ADD CONSTRAINT distribution_counts_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.operators(id);

ALTER TABLE ONLY public.distribution_counts
    ADD CONSTRAINT distribution_counts_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.sources(id);

ALTER TABLE ONLY public.operator_source_weights
    ADD CONSTRAINT operator_source_weights_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.operators(id);

ALTER TABLE ONLY public.operator_source_weights
    ADD CONSTRAINT operator_source_weights_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.sources(id);

GRANT ALL ON SCHEMA public TO leads_crm_owner;
GRANT USAGE ON SCHEMA public TO leads_crm_service;

GRANT USAGE ON SCHEMA reporting TO leads_crm_reporting;
GRANT USAGE ON SCHEMA reporting TO leads_crm_service;

REVOKE ALL ON FUNCTION public.add_to_distribution_counts(source_ids bigint[], operator_ids bigint[], changes bigint[], active_changes bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.add_to_loads(operator_ids bigint[], changes bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.api_keys_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.contacts_deleted() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.contacts_inserted() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.contacts_truncated() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.contacts_updated() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.distribution_counts_refuse_overload() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.operators_note_fullness() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.operators_refuse_load_by_hand() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.operators_refuse_overload() FROM PUBLIC;

GRANT SELECT,INSERT,DELETE ON TABLE public.api_keys TO leads_crm_service;

GRANT SELECT ON TABLE public.api_keys_revision TO leads_crm_service;

GRANT SELECT,INSERT,DELETE ON TABLE public.assignment_batches TO leads_crm_service;

GRANT SELECT,INSERT,DELETE ON TABLE public.assignment_decisions TO leads_crm_service;

GRANT UPDATE ON TABLE public.assignment_gate TO leads_crm_service;

GRANT SELECT,INSERT,UPDATE ON TABLE public.assignment_tallies TO leads_crm_service;

GRANT SELECT ON TABLE public.contact_events TO leads_crm_service;

GRANT SELECT,INSERT,UPDATE ON TABLE public.contacts TO leads_crm_service;

GRANT SELECT ON TABLE public.contact_steps TO leads_crm_service;

GRANT SELECT,UPDATE ON TABLE public.tally_progress TO leads_crm_service;

GRANT SELECT ON TABLE public.assignment_tallies_now TO leads_crm_service;

GRANT SELECT,INSERT,UPDATE ON TABLE public.contact_tallies TO leads_crm_service;

GRANT SELECT ON TABLE public.contact_tallies_now TO leads_crm_service;

GRANT USAGE ON SEQUENCE public.contacts_id_seq TO leads_crm_service;

GRANT SELECT ON TABLE public.distribution_counts TO leads_crm_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO leads_crm_service;

GRANT SELECT,INSERT,UPDATE ON TABLE public.leads TO leads_crm_service;

GRANT USAGE ON SEQUENCE public.leads_id_seq TO leads_crm_service;

GRANT SELECT,INSERT,UPDATE ON TABLE public.maintenance_jobs TO leads_crm_service;

GRANT SELECT ON TABLE public.operator_full_hours TO leads_crm_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operator_source_weights TO leads_crm_service;

GRANT SELECT,DELETE ON TABLE public.operators TO leads_crm_service;

GRANT INSERT(name),UPDATE(name) ON TABLE public.operators TO leads_crm_service;

GRANT INSERT(is_active),UPDATE(is_active) ON TABLE public.operators TO leads_crm_service;

GRANT INSERT(max_load),UPDATE(max_load) ON TABLE public.operators TO leads_crm_service;

GRANT UPDATE(updated_at) ON TABLE public.operators TO leads_crm_service;

GRANT SELECT ON TABLE public.schema_migrations TO leads_crm_service;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sources TO leads_crm_service;

GRANT SELECT ON TABLE reporting.assignment_delay TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.assignment_delay TO leads_crm_service;

GRANT SELECT ON TABLE reporting.contact_events TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.contact_events TO leads_crm_service;

GRANT SELECT ON TABLE reporting.contacts TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.contacts TO leads_crm_service;

GRANT SELECT ON TABLE reporting.contacts_per_hour TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.contacts_per_hour TO leads_crm_service;

GRANT SELECT ON TABLE reporting.distribution TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.distribution TO leads_crm_service;

GRANT SELECT ON TABLE reporting.integrity TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.integrity TO leads_crm_service;

GRANT SELECT ON TABLE reporting.leads_overview TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.leads_overview TO leads_crm_service;

GRANT SELECT ON TABLE reporting.shares TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.shares TO leads_crm_service;

GRANT SELECT ON TABLE reporting.limits TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.limits TO leads_crm_service;

GRANT SELECT ON TABLE reporting.operator_load TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.operator_load TO leads_crm_service;

GRANT SELECT ON TABLE reporting.releases TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.releases TO leads_crm_service;

GRANT SELECT ON TABLE reporting.waiting TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.waiting TO leads_crm_service;

GRANT SELECT ON TABLE reporting.waiting_times TO leads_crm_reporting;
GRANT SELECT ON TABLE reporting.waiting_times TO leads_crm_service;
