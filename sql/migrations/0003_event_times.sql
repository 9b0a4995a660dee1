-- An event's time is the time that its contact gives for the change. For a change made now that is now, as before; one
-- that is written down later (a database taken over from elsewhere) keeps its place in time.

CREATE OR REPLACE FUNCTION contacts_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, count(*) AS change FROM inserted
          WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id) AS d
    HAVING count(*) > 0;

    PERFORM add_to_distribution_counts(array_agg(source_id), array_agg(operator_id), array_agg(change))
    FROM (SELECT source_id, operator_id, count(*) AS change FROM inserted GROUP BY source_id, operator_id) AS d
    HAVING count(*) > 0;

    INSERT INTO contact_events (contact_id, source_id, operator_id, status, created_at)
    SELECT id, source_id, operator_id, status,
        -- A contact that comes closed was open before: it was closed at its last change.
        CASE status WHEN 'closed' THEN COALESCE(updated_at, created_at) ELSE created_at END
    FROM inserted ORDER BY id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION contacts_updated() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
BEGIN
    PERFORM add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, sum(change)::bigint AS change
          FROM (SELECT operator_id, status, 1 AS change FROM after_update
                UNION ALL SELECT operator_id, status, -1 FROM before_update) AS c
          WHERE status = 'active' AND operator_id IS NOT NULL
          GROUP BY operator_id HAVING sum(change) <> 0) AS d
    HAVING count(*) > 0;

    PERFORM add_to_distribution_counts(array_agg(source_id), array_agg(operator_id), array_agg(change))
    FROM (SELECT source_id, operator_id, sum(change)::bigint AS change
          FROM (SELECT source_id, operator_id, 1 AS change FROM after_update
                UNION ALL SELECT source_id, operator_id, -1 FROM before_update) AS c
          GROUP BY source_id, operator_id HAVING sum(change) <> 0) AS d
    HAVING count(*) > 0;

    INSERT INTO contact_events (contact_id, source_id, operator_id, status, created_at)
    SELECT a.id, a.source_id, a.operator_id, a.status,
        -- A writer that does not touch updated_at changes the contact now.
        COALESCE(NULLIF(a.updated_at, b.updated_at), now())
    FROM after_update AS a LEFT JOIN before_update AS b USING (id)
    WHERE (a.source_id, a.operator_id, a.status) IS DISTINCT FROM (b.source_id, b.operator_id, b.status)
    ORDER BY a.id;
    RETURN NULL;
END
$$;

COMMENT ON COLUMN contact_events.created_at IS 'When the contact says that it changed: its created_at or updated_at.';
