-- A desk that has run for a year: 10 million contacts of 3 million leads, 1,000 operators, 200 sources. Fills a database
-- that is migrated and empty; one that has contacts is left as it is.
--   psql -d DATABASE -v ON_ERROR_STOP=1 [-v contacts=10000] -f sql/bench/large.sql
-- Triggers are off while it loads, so it takes a superuser and writes itself what the triggers would have:
-- `leads-crm check` finds every counter as it is recounted.
\if :{?contacts}
\else
    \set contacts 10000000
\endif

SELECT EXISTS (SELECT FROM contacts) AS is_loaded \gset
\if :is_loaded
    \echo 'The database has contacts: nothing is loaded.'
    \quit
\endif

BEGIN;
SET LOCAL session_replication_role = replica;
SET LOCAL work_mem = '512MB';
SET LOCAL jit = off;
SELECT setseed(0.5) \gset

-- The time of the nth contact: from a year ago until about three hours ago, with most traffic at noon (UTC). It grows with n.
CREATE FUNCTION pg_temp.moment(n bigint) RETURNS timestamptz STABLE LANGUAGE sql RETURN (
    SELECT to_timestamp(u + 10000 * sin(u * pi() / 43200))
    FROM (SELECT extract(epoch FROM now())::float8 - 31536000 + n * ((31536000 - 11000) / :contacts::float8)) AS t (u));

INSERT INTO operators (id, name, is_active, max_load, created_at)
SELECT n, 'Operator ' || n, n % 40 <> 0, 1000000, pg_temp.moment(0) FROM generate_series(1, 1000) AS n;

INSERT INTO sources (id, name, description, created_at)
SELECT n, 'Source ' || n, CASE WHEN n > 197 THEN 'Nobody takes its contacts' END, pg_temp.moment(0)
FROM generate_series(1, 200) AS n;

-- Each source has 20 operators, and each operator about four sources.
INSERT INTO operator_source_weights (id, source_id, operator_id, weight, created_at)
SELECT row_number() OVER (), s, 1 + ((s - 1) * 5 + k) % 1000, 1 + k % 5, pg_temp.moment(0)
FROM generate_series(1, 197) AS s, generate_series(0, 19) AS k;

-- Every tenth part of three contacts is a new lead's; numbers that are multiplied by 3^18 are spread and stay distinct.
INSERT INTO leads (id, external_id, phone, email, name, created_at)
SELECT n, CASE WHEN n % 2 = 0 THEN 'tg-' || n * 387420489 % 1000000000 END,
    CASE WHEN n % 10 <> 0 THEN '+79' || lpad((n * 387420489 % 1000000000)::text, 9, '0') END,
    CASE WHEN n % 5 < 3 THEN 'lead' || n || '@example.org' END, 'Lead ' || n, pg_temp.moment((n - 1) * 10 / 3 + 1)
FROM generate_series(1, (:contacts::bigint * 3 + 9) / 10) AS n;

-- Which of a source's 20 operators: as often as its weight says.
SELECT array_agg(k) AS slots FROM generate_series(0, 19) AS k, generate_series(0, k % 5) \gset

-- The others are of leads who return, the more likely the younger they are. Small sources are many. A conversation lasts
-- 20 minutes and then a week on average, so that 2 % are active.
INSERT INTO contacts (id, lead_id, source_id, operator_id, status, message, created_at, updated_at)
SELECT n, lead_id, source_id,
    CASE WHEN source_id <= 197 THEN 1 + ((source_id - 1) * 5 + (:'slots'::bigint[])[slot]) % 1000 END,
    CASE WHEN closed_at > now() THEN 'active' ELSE 'closed' END,
    'I would like to know more about product ' || slot, created_at,
    CASE WHEN closed_at <= now() THEN closed_at
         -- Every twentieth waited at first.
         WHEN n % 20 = 0 AND source_id <= 197 THEN created_at + n % 600 * interval '1 second' END
FROM (
    SELECT n,
        CASE WHEN (n * 3 + 9) / 10 > (n * 3 + 6) / 10 THEN (n * 3 + 9) / 10
             ELSE (n * 3 + 9) / 10 - floor((n * 3 + 9) / 10 * random() ^ 3)::bigint END AS lead_id,
        1 + floor(200 * random() ^ 2)::bigint AS source_id, 1 + floor(60 * random())::bigint AS slot,
        pg_temp.moment(n) AS created_at,
        pg_temp.moment(n) + interval '20 minutes' - ln(1 - random()) * interval '7.2 days' AS closed_at
    FROM generate_series(1, :contacts::bigint) AS n
) AS c;

INSERT INTO contact_events (contact_id, source_id, operator_id, status, created_at)
SELECT * FROM (
    SELECT id AS contact_id, source_id, CASE WHEN id % 20 <> 0 THEN operator_id END, 'active' AS status, created_at FROM contacts
    UNION ALL
    SELECT id, source_id, operator_id, 'active', created_at + id % 600 * interval '1 second' FROM contacts
    WHERE id % 20 = 0 AND operator_id IS NOT NULL
    UNION ALL
    SELECT id, source_id, operator_id, 'closed', updated_at FROM contacts WHERE status = 'closed'
) AS e ORDER BY created_at, contact_id, status;

INSERT INTO distribution_counts (source_id, operator_id, contacts_count, active_count)
SELECT source_id, operator_id, count(*), count(operator_id) FILTER (WHERE status = 'active')
FROM contacts GROUP BY source_id, operator_id;

UPDATE operators AS o
SET current_load = c.n, max_load = CASE WHEN id % 50 = 7 THEN c.n ELSE max_load END  -- some are full
FROM (SELECT operator_id, count(*) AS n FROM contacts WHERE status = 'active' GROUP BY operator_id) AS c
WHERE c.operator_id = o.id;

INSERT INTO operator_full_hours
SELECT id, date_trunc('hour', now(), 'UTC'), true FROM operators WHERE current_load >= max_load;

SELECT setval('operators_id_seq', 1000), setval('sources_id_seq', 200),
    setval('operator_source_weights_id_seq', (SELECT max(id) FROM operator_source_weights)),
    setval('leads_id_seq', (SELECT max(id) FROM leads)), setval('contacts_id_seq', :contacts) \gset
COMMIT;

VACUUM (FREEZE, ANALYZE);
