-- Counters are written by the triggers of contacts and by nobody else, whoever writes contacts: the trigger functions
-- run as the tables' owner, see no schema but pg_catalog, and name every table with its schema. Then whoever writes
-- contacts needs no right to a counter, and no temporary table, no function and no trigger of theirs comes in between.

DO $$
BEGIN
    IF to_regclass('public.operators') IS NULL THEN
        RAISE EXCEPTION 'the tables are not in the schema public, where the trigger functions will look for them'
            USING HINT = 'Move each table, view and function of theirs: ALTER … SET SCHEMA public';
    END IF;
END
$$;

-- Called by the trigger functions only, and so as the owner and with their search_path.
CREATE OR REPLACE FUNCTION public.add_to_loads(operator_ids bigint[], changes bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM public.operators WHERE id = ANY (operator_ids) ORDER BY id FOR NO KEY UPDATE;
    UPDATE public.operators o SET current_load = o.current_load + d.change
    FROM unnest(operator_ids, changes) AS d (operator_id, change)
    WHERE o.id = d.operator_id;
END
$$;

CREATE OR REPLACE FUNCTION public.add_to_distribution_counts(
    source_ids bigint[], operator_ids bigint[], changes bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
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

    UPDATE public.distribution_counts c SET contacts_count = c.contacts_count + d.change
    FROM unnest(source_ids, operator_ids, changes) AS d (source_id, operator_id, change)
    WHERE c.source_id = d.source_id AND COALESCE(c.operator_id, 0) = COALESCE(d.operator_id, 0);
END
$$;

CREATE OR REPLACE FUNCTION public.contacts_inserted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, count(*) AS change FROM inserted
          WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id) AS d
    HAVING count(*) > 0;

    INSERT INTO public.distribution_counts AS c (source_id, operator_id, contacts_count)
    SELECT source_id, operator_id, count(*) FROM inserted GROUP BY source_id, operator_id
    ORDER BY source_id, operator_id
    ON CONFLICT (source_id, (COALESCE(operator_id, 0)))
    DO UPDATE SET contacts_count = c.contacts_count + EXCLUDED.contacts_count;

    INSERT INTO public.contact_events (contact_id, source_id, operator_id, status, created_at)
    SELECT id, source_id, operator_id, status,
        -- A contact that comes closed was open before: it was closed at its last change.
        CASE status WHEN 'closed' THEN COALESCE(updated_at, created_at) ELSE created_at END
    FROM inserted ORDER BY id;
    RETURN NULL;
END
$$;

-- The assignment switches hash joins off for its look-ups; here they pair old rows with new ones.
CREATE OR REPLACE FUNCTION public.contacts_updated() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_hashjoin = on AS $$
BEGIN
    PERFORM public.add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, sum(change)::bigint AS change
          FROM (SELECT operator_id, status, 1 AS change FROM after_update
                UNION ALL SELECT operator_id, status, -1 FROM before_update) AS c
          WHERE status = 'active' AND operator_id IS NOT NULL
          GROUP BY operator_id HAVING sum(change) <> 0) AS d
    HAVING count(*) > 0;

    PERFORM public.add_to_distribution_counts(array_agg(source_id), array_agg(operator_id), array_agg(change))
    FROM (SELECT source_id, operator_id, sum(change)::bigint AS change
          FROM (SELECT source_id, operator_id, 1 AS change FROM after_update
                UNION ALL SELECT source_id, operator_id, -1 FROM before_update) AS c
          GROUP BY source_id, operator_id HAVING sum(change) <> 0) AS d
    HAVING count(*) > 0;

    INSERT INTO public.contact_events (contact_id, source_id, operator_id, status, created_at)
    SELECT a.id, a.source_id, a.operator_id, a.status,
        -- A writer that does not touch updated_at changes the contact now.
        COALESCE(NULLIF(a.updated_at, b.updated_at), now())
    FROM after_update AS a LEFT JOIN before_update AS b USING (id)
    WHERE (a.source_id, a.operator_id, a.status) IS DISTINCT FROM (b.source_id, b.operator_id, b.status)
    ORDER BY a.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.contacts_deleted() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, -count(*) AS change FROM deleted
          WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id) AS d
    HAVING count(*) > 0;

    PERFORM public.add_to_distribution_counts(array_agg(source_id), array_agg(operator_id), array_agg(change))
    FROM (SELECT source_id, operator_id, -count(*) AS change FROM deleted GROUP BY source_id, operator_id) AS d
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION public.contacts_truncated() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- A trigger fires without it; but who has it could make such a trigger on a table of their own, and count what they like.
REVOKE EXECUTE ON FUNCTION
    public.add_to_loads(bigint[], bigint[]), public.add_to_distribution_counts(bigint[], bigint[], bigint[]),
    public.contacts_inserted(), public.contacts_updated(), public.contacts_deleted(), public.contacts_truncated(),
    public.operators_refuse_overload(), public.operators_refuse_load_by_hand()
FROM PUBLIC;

-- Whoever was granted whole tables keeps what is no counter. A trigger runs as whoever writes to its table, which may be
-- the owner, so nobody else makes one.
DO $$
DECLARE
    columns_to_insert CONSTANT text := '(id, name, is_active, max_load, created_at, updated_at)';
    columns_to_update CONSTANT text := '(name, is_active, max_load, updated_at)';
    granted record;
BEGIN
    FOR granted IN
        SELECT t.oid::regclass AS name, t.relname = 'operators' AS is_operators,
            CASE t.relname
                WHEN 'schema_migrations' THEN 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'
                WHEN 'distribution_counts' THEN 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'
                WHEN 'contact_events' THEN 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'
                WHEN 'operators' THEN 'INSERT, UPDATE, TRUNCATE, TRIGGER'
                WHEN 'contacts' THEN 'TRUNCATE, TRIGGER'
                ELSE 'TRIGGER'
            END AS taken,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
            bool_or(a.privilege_type = 'INSERT') AS may_insert, bool_or(a.privilege_type = 'UPDATE') AS may_update
        FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS a
        WHERE t.oid IN (
                'public.schema_migrations'::regclass, 'public.operators'::regclass, 'public.sources'::regclass,
                'public.operator_source_weights'::regclass, 'public.leads'::regclass, 'public.contacts'::regclass,
                'public.distribution_counts'::regclass, 'public.contact_events'::regclass,
                'public.assignment_gate'::regclass, 'public.assignment_batches'::regclass)
            AND a.grantee <> t.relowner
        GROUP BY t.oid, t.relname, a.grantee
    LOOP
        EXECUTE pg_catalog.format('REVOKE %s ON %s FROM %s CASCADE', granted.taken, granted.name, granted.grantee);
        IF granted.is_operators AND granted.may_insert THEN
            EXECUTE pg_catalog.format(
                'GRANT INSERT %s ON %s TO %s', columns_to_insert, granted.name, granted.grantee);
        END IF;
        IF granted.is_operators AND granted.may_update THEN
            EXECUTE pg_catalog.format(
                'GRANT UPDATE %s ON %s TO %s', columns_to_update, granted.name, granted.grantee);
        END IF;
    END LOOP;
END
$$;

-- What each role may do, as far as it exists; sql/roles.sql makes them, and says the same of all tables.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_reporting') THEN
        GRANT USAGE ON SCHEMA reporting TO leads_crm_reporting;
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_reporting;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT USAGE ON SCHEMA reporting TO leads_crm_service;
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_service;
        GRANT SELECT ON public.schema_migrations, public.operators, public.distribution_counts, public.contact_events
            TO leads_crm_service;
        GRANT INSERT (name, is_active, max_load), UPDATE (name, is_active, max_load, updated_at)
            ON public.operators TO leads_crm_service;
        GRANT SELECT, INSERT, UPDATE ON public.sources, public.leads, public.contacts TO leads_crm_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON public.operator_source_weights TO leads_crm_service;
        GRANT SELECT, INSERT, DELETE ON public.assignment_batches TO leads_crm_service;
        -- It never holds a row; this is what LOCK TABLE asks for.
        GRANT UPDATE ON public.assignment_gate TO leads_crm_service;
        GRANT USAGE ON SEQUENCE public.contacts_id_seq, public.leads_id_seq TO leads_crm_service;
    END IF;
END
$$;
