-- How a source gives its contacts away, limits of shares, and priorities.
ALTER TABLE public.sources
    ADD COLUMN strategy text NOT NULL DEFAULT 'weighted_random',
    ADD COLUMN sticky boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT sources_strategy_check CHECK (strategy IN ('weighted_random', 'smooth_weighted', 'least_loaded'));

COMMENT ON COLUMN public.sources.strategy IS
    'By what contacts go to those who are available: weighted_random, smooth_weighted or least_loaded.';
COMMENT ON COLUMN public.sources.sticky IS
    'Whether a lead who comes back goes to the operator of their last contact, if that one may have it.';

ALTER TABLE public.operator_source_weights
    ADD COLUMN max_load integer,
    ADD COLUMN credit bigint,
    ADD COLUMN given_at timestamptz,
    ADD CONSTRAINT operator_source_weights_max_load_check CHECK (max_load >= 1),
    SET (fillfactor = 50);

COMMENT ON COLUMN public.operator_source_weights.weight IS
    'The share of the source''s contacts is weight / sum of the weights of those available at that moment.';
COMMENT ON COLUMN public.operator_source_weights.max_load IS
    'The most active contacts of the source that the operator may hold; NULL: only the operator''s own max_load counts.';
COMMENT ON COLUMN public.operator_source_weights.credit IS
    'For smooth_weighted: what is owed, of which a contact takes the sum of weights; NULL for who was not available last.';
COMMENT ON COLUMN public.operator_source_weights.given_at IS
    'For smooth_weighted and least_loaded: when the operator was last given a contact of the source.';

-- Nobody writes contacts from here on, so that the count below misses none.
ALTER TABLE public.contacts ADD COLUMN priority integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 9);

COMMENT ON COLUMN public.contacts.priority IS '0 to 9. Of those who wait the highest comes first, then the smallest id.';

CREATE INDEX contacts_queue_idx ON public.contacts (source_id, priority DESC, id)
    WHERE status = 'active' AND operator_id IS NULL;

COMMENT ON INDEX public.contacts_queue_idx IS 'Who is first in the queue of a source: AssignmentStatements.waiting.';

ALTER TABLE public.distribution_counts ADD COLUMN active_count integer NOT NULL DEFAULT 0 CHECK (active_count >= 0);

COMMENT ON COLUMN public.distribution_counts.active_count IS
    'Those of them that are active and have an operator; kept by triggers, and held to the weight''s max_load.';

UPDATE public.distribution_counts AS d SET active_count = c.n
FROM (
    SELECT source_id, operator_id, count(*) AS n FROM public.contacts
    WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY source_id, operator_id
) AS c
WHERE c.source_id = d.source_id AND c.operator_id = COALESCE(d.operator_id, 0);

DROP FUNCTION public.add_to_distribution_counts(bigint[], bigint[], bigint[]);

CREATE FUNCTION public.add_to_distribution_counts(
    source_ids bigint[], operator_ids bigint[], changes bigint[], active_changes bigint[]
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

    UPDATE public.distribution_counts c
    SET contacts_count = c.contacts_count + d.change, active_count = c.active_count + d.active_change
    FROM unnest(source_ids, operator_ids, changes, active_changes) AS d (source_id, operator_id, change, active_change)
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

    INSERT INTO public.distribution_counts AS c (source_id, operator_id, contacts_count, active_count)
    SELECT source_id, operator_id, count(*), count(operator_id) FILTER (WHERE status = 'active')
    FROM inserted GROUP BY source_id, operator_id
    ORDER BY source_id, operator_id
    ON CONFLICT (source_id, (COALESCE(operator_id, 0)))
    DO UPDATE SET contacts_count = c.contacts_count + EXCLUDED.contacts_count,
        active_count = c.active_count + EXCLUDED.active_count;

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

    PERFORM public.add_to_distribution_counts(
        array_agg(source_id), array_agg(operator_id), array_agg(change), array_agg(active_change))
    FROM (SELECT source_id, operator_id, sum(change)::bigint AS change, sum(active_change)::bigint AS active_change
          FROM (SELECT source_id, operator_id, 1 AS change,
                    (status = 'active' AND operator_id IS NOT NULL)::integer AS active_change FROM after_update
                UNION ALL SELECT source_id, operator_id, -1,
                    -(status = 'active' AND operator_id IS NOT NULL)::integer FROM before_update) AS c
          GROUP BY source_id, operator_id HAVING sum(change) <> 0 OR sum(active_change) <> 0) AS d
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

    PERFORM public.add_to_distribution_counts(
        array_agg(source_id), array_agg(operator_id), array_agg(change), array_agg(active_change))
    FROM (SELECT source_id, operator_id, -count(*) AS change,
              -count(operator_id) FILTER (WHERE status = 'active') AS active_change
          FROM deleted GROUP BY source_id, operator_id) AS d
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

-- The limit is another table's, so it is looked up where a count grows. It is not locked: who does not see yet that it was
-- lowered has written before it was, and lowering it below the count is legal.
CREATE FUNCTION public.distribution_counts_refuse_overload() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER distribution_counts_no_overload_on_insert AFTER INSERT ON public.distribution_counts
    FOR EACH ROW WHEN (NEW.active_count > 0) EXECUTE FUNCTION public.distribution_counts_refuse_overload();
CREATE TRIGGER distribution_counts_no_overload_on_update BEFORE UPDATE ON public.distribution_counts
    FOR EACH ROW WHEN (NEW.active_count > OLD.active_count)
    EXECUTE FUNCTION public.distribution_counts_refuse_overload();

REVOKE EXECUTE ON FUNCTION
    public.add_to_distribution_counts(bigint[], bigint[], bigint[], bigint[]),
    public.distribution_counts_refuse_overload()
FROM PUBLIC;

CREATE OR REPLACE VIEW reporting.integrity AS
SELECT 'operator load'::text AS counter, NULL::bigint AS source_id, o.id AS operator_id,
    o.current_load::bigint AS kept, COALESCE(c.n, 0) AS counted
FROM public.operators AS o
LEFT JOIN (
    SELECT operator_id, count(*) AS n FROM public.contacts
    WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id
) AS c ON c.operator_id = o.id
WHERE o.current_load <> COALESCE(c.n, 0)
UNION ALL
SELECT k.counter, COALESCE(d.source_id, c.source_id), COALESCE(d.operator_id, c.operator_id), k.kept, k.counted
FROM public.distribution_counts AS d
FULL JOIN (
    SELECT source_id, operator_id, count(*) AS n, count(operator_id) FILTER (WHERE status = 'active') AS active
    FROM public.contacts GROUP BY source_id, operator_id
) AS c ON c.source_id = d.source_id AND COALESCE(c.operator_id, 0) = COALESCE(d.operator_id, 0)
CROSS JOIN LATERAL (
    VALUES ('distribution count', COALESCE(d.contacts_count, 0), COALESCE(c.n, 0)),
        ('share load', COALESCE(d.active_count, 0)::bigint, COALESCE(c.active, 0))
) AS k (counter, kept, counted)
WHERE k.kept <> k.counted;

COMMENT ON COLUMN reporting.integrity.counter IS 'Which counter: operator load, distribution count or share load.';
