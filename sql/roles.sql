-- The roles of Leads CRM: leads_crm_owner owns everything and migrates, leads_crm_service is who instances connect as,
-- leads_crm_reporting reads reports. To be run by a superuser in the service's database, before its migrations or after,
-- as often as you like: what is so already is left alone. The roles get no password here, see login_roles.sql.
-- It runs nothing that anybody else wrote: the owner, or who may create in public, would be a superuser while it does.
BEGIN;

SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL lock_timeout = '10s';

-- The lock of the migrations: several may run this at once.
DO $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('leads_crm.schema_migrations'));
END
$$;

DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('CREATE ROLE %I %s', r.name, r.attribute)
        FROM (VALUES ('leads_crm_owner', 'LOGIN'), ('leads_crm_service', 'LOGIN'), ('leads_crm_reporting', 'NOLOGIN'))
            AS r (name, attribute)
        WHERE NOT EXISTS (SELECT FROM pg_roles AS p WHERE p.rolname = r.name)
    LOOP
        EXECUTE statement;
    END LOOP;

    -- To be able to migrate.
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO leads_crm_owner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO leads_crm_service', current_database());
    GRANT USAGE, CREATE ON SCHEMA public TO leads_crm_owner;
    GRANT USAGE ON SCHEMA public TO leads_crm_service;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;

    -- What belongs to whoever migrated so far, but for extensions; sequences follow their tables.
    FOR statement IN
        WITH ledger AS (SELECT relowner AS owner FROM pg_class WHERE oid = to_regclass('public.schema_migrations'))
        SELECT format('ALTER %s %s OWNER TO leads_crm_owner', o.kind, o.name)
        FROM (
            SELECT c.oid, c.relowner AS owner, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind,
                c.oid::regclass::text AS name
            FROM pg_class AS c
            WHERE c.relnamespace IN (to_regnamespace('public'), to_regnamespace('reporting')) AND c.relkind IN ('r', 'v')
            UNION ALL
            SELECT p.oid, p.proowner, 'ROUTINE', p.oid::regprocedure::text FROM pg_proc AS p
            WHERE p.pronamespace = to_regnamespace('public')
            UNION ALL
            SELECT n.oid, n.nspowner, 'SCHEMA', 'reporting' FROM pg_namespace AS n WHERE n.nspname = 'reporting'
        ) AS o JOIN ledger USING (owner)
        WHERE o.owner <> 'leads_crm_owner'::regrole
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = o.oid AND d.deptype = 'e')
    LOOP
        EXECUTE statement;
    END LOOP;

    -- As the migrations do for what they make; what is not there yet, they will.
    FOR statement IN
        SELECT format('GRANT %s ON %s %s TO leads_crm_service', t.privileges,
            CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass)
        FROM (VALUES
            ('SELECT', 'schema_migrations'), ('SELECT', 'operators'), ('SELECT', 'distribution_counts'),
            ('SELECT', 'contact_events'), ('INSERT (name, is_active, max_load)', 'operators'),
            ('UPDATE (name, is_active, max_load, updated_at)', 'operators'), ('DELETE', 'operators'),
            ('SELECT, INSERT, UPDATE, DELETE', 'sources'), ('SELECT, INSERT, UPDATE', 'leads'),
            ('SELECT, INSERT, UPDATE', 'contacts'), ('SELECT, INSERT, UPDATE', 'maintenance_jobs'),
            ('SELECT, INSERT, UPDATE, DELETE', 'idempotency_keys'),
            ('SELECT, INSERT, UPDATE', 'contact_tallies'), ('SELECT, INSERT, UPDATE', 'assignment_tallies'),
            ('SELECT, UPDATE', 'tally_progress'), ('SELECT', 'contact_steps'), ('SELECT', 'contact_tallies_now'),
            ('SELECT', 'assignment_tallies_now'), ('SELECT', 'operator_full_hours'),
            ('SELECT, INSERT, UPDATE, DELETE', 'operator_source_weights'),
            ('SELECT, INSERT, DELETE', 'assignment_batches'), ('SELECT, INSERT, DELETE', 'assignment_decisions'),
            ('SELECT, INSERT, DELETE', 'api_keys'), ('SELECT', 'api_keys_revision'), ('UPDATE', 'assignment_gate'),
            ('USAGE', 'contacts_id_seq'), ('USAGE', 'leads_id_seq')
        ) AS t (privileges, name)
        JOIN pg_class AS c ON c.oid = to_regclass('public.' || t.name)
        UNION ALL
        SELECT format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', p.oid::regprocedure) FROM pg_proc AS p
        WHERE p.pronamespace = to_regnamespace('public') AND p.proowner = 'leads_crm_owner'::regrole
    LOOP
        EXECUTE statement;
    END LOOP;
    IF to_regnamespace('reporting') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA reporting TO leads_crm_service, leads_crm_reporting;
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_service, leads_crm_reporting;
    END IF;
END
$$;

COMMIT;
