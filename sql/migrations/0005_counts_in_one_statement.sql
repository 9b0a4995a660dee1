-- The counts of new contacts in one statement: a new pair's row is inserted, a known pair's is added to. Only what may
-- take away needs the two statements of add_to_distribution_counts.
CREATE OR REPLACE FUNCTION contacts_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_to_loads(array_agg(operator_id), array_agg(change))
    FROM (SELECT operator_id, count(*) AS change FROM inserted
          WHERE status = 'active' AND operator_id IS NOT NULL GROUP BY operator_id) AS d
    HAVING count(*) > 0;

    INSERT INTO distribution_counts AS c (source_id, operator_id, contacts_count)
    SELECT source_id, operator_id, count(*) FROM inserted GROUP BY source_id, operator_id
    ORDER BY source_id, operator_id
    ON CONFLICT (source_id, (COALESCE(operator_id, 0)))
    DO UPDATE SET contacts_count = c.contacts_count + EXCLUDED.contacts_count;

    INSERT INTO contact_events (contact_id, source_id, operator_id, status, created_at)
    SELECT id, source_id, operator_id, status,
        -- A contact that comes closed was open before: it was closed at its last change.
        CASE status WHEN 'closed' THEN COALESCE(updated_at, created_at) ELSE created_at END
    FROM inserted ORDER BY id;
    RETURN NULL;
END
$$;
