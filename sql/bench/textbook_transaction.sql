-- One contact, for pgbench: look up or insert the lead, pick an operator by weight and lock the row, count, insert.
-- LIMIT 1 locks only the row that is picked. If another transaction has changed it meanwhile, READ COMMITTED checks
-- the room again and goes on to the next one, SERIALIZABLE fails with 40001 and is run again.
\set phone random(1, 1000000000)
BEGIN;
SELECT COALESCE((SELECT id FROM leads WHERE phone = '+7' || :phone::text), 0) AS lead_id \gset
\if :lead_id = 0
INSERT INTO leads (phone, name) VALUES ('+7' || :phone::text, 'Lead')
ON CONFLICT (phone) DO UPDATE SET phone = EXCLUDED.phone RETURNING id AS lead_id \gset
\endif
SELECT COALESCE(max(id), 0) AS operator_id FROM (
    SELECT o.id FROM operator_source_weights AS w JOIN operators AS o ON o.id = w.operator_id
    WHERE w.source_id = 1 AND o.is_active AND o.current_load < o.max_load
    ORDER BY -ln(1 - random()) / w.weight LIMIT 1 FOR NO KEY UPDATE OF o) AS picked \gset
\if :operator_id <> 0
UPDATE operators SET current_load = current_load + 1 WHERE id = :operator_id;
\endif
INSERT INTO contacts (lead_id, source_id, operator_id, message)
VALUES (:lead_id, 1, NULLIF(:operator_id::bigint, 0), 'I would like to know more about the product')
RETURNING id;
COMMIT;
