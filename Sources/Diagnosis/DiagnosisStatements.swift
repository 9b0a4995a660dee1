import Postgres
import Store

/// What ``Diagnosis`` asks. Nothing of it is prepared, but for the statement that tries just that.
enum DiagnosisStatements {
    static let setting = Statement(unprepared: "SELECT current_setting($1::text)")
    static let clock = Statement(unprepared: "SELECT clock_timestamp()")
    static let process = Statement(unprepared: "SELECT pg_backend_pid()")
    static let prepared = Statement("SELECT 1")

    /// Whether it is a standby, whether transactions are read-only, and what would set that back.
    static let writing = Statement(
        unprepared: """
            SELECT pg_is_in_recovery(), s.setting = 'on',
                CASE s.source
                    WHEN 'database' THEN pg_catalog.format('ALTER DATABASE %I RESET %s', current_database(), s.name)
                    WHEN 'user' THEN pg_catalog.format('ALTER ROLE %I RESET %s', current_user, s.name)
                    WHEN 'database user' THEN
                        pg_catalog.format(
                            'ALTER ROLE %I IN DATABASE %I RESET %s', current_user, current_database(), s.name)
                    WHEN 'client' THEN
                        pg_catalog.format('remove %s from PGOPTIONS or from the options in DATABASE_URL', s.name)
                    ELSE pg_catalog.format('ALTER SYSTEM SET %s = off; SELECT pg_reload_conf()', s.name)
                END
            FROM pg_settings AS s WHERE s.name = 'default_transaction_read_only'
            """)

    /// The most connections for this role to this database, and those in use, whoever's.
    static let connections = Statement(
        unprepared: """
            SELECT least(
                    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
                    NULLIF((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1),
                    NULLIF((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1)),
                (SELECT sum(numbackends)::bigint FROM pg_stat_database)
            """)

    /// The predicate locks that are taken, those that there can be (see PostgreSQL's `predicate.c`), and whether there may
    /// be many for one transaction.
    static let predicateLocks = Statement(
        unprepared: """
            SELECT (SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock'),
                2 * current_setting('max_pred_locks_per_transaction')::bigint
                    * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint),
                current_setting('max_pred_locks_per_relation') <> '0'
            """)

    /// Who migrates, or what lets this user do it, as far as it may not. The service's role is not meant to.
    static let creation = Statement(
        unprepared: """
            SELECT pg_catalog.format('run leads-crm migrate as %I, who owns the tables', pg_get_userbyid(relowner))
            FROM pg_class WHERE oid = to_regclass('schema_migrations') AND NOT pg_has_role(relowner, 'MEMBER')
            UNION ALL
            SELECT pg_catalog.format(
                'as the database''s owner: GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
            WHERE to_regclass('schema_migrations') IS NULL AND current_user <> 'leads_crm_service'
                AND NOT pg_catalog.has_database_privilege(current_database(), 'CREATE')
            UNION ALL
            SELECT pg_catalog.format(
                'as its owner: GRANT CREATE ON SCHEMA %I TO %I', COALESCE(current_schema(), 'public'), current_user)
            WHERE to_regclass('schema_migrations') IS NULL AND current_user <> 'leads_crm_service'
                AND (current_schema() IS NULL OR NOT pg_catalog.has_schema_privilege(current_schema(), 'CREATE'))
            """)

    static let hasTables = Statement(
        unprepared: """
            SELECT bool_and(to_regclass(t.name) IS NOT NULL)
                AND EXISTS (SELECT FROM pg_views WHERE schemaname = 'reporting' AND viewname = 'integrity')
            FROM pg_catalog.unnest(ARRAY[
                'operators', 'sources', 'operator_source_weights', 'leads', 'contacts', 'distribution_counts',
                'contact_events', 'assignment_gate', 'assignment_batches', 'maintenance_jobs',
                'idempotency_keys', 'tally_progress']) AS t (name)
            """)

    /// What an instance needs and this user lacks: as `sql/roles.sql` grants it.
    static let rights = Statement(
        unprepared: """
            SELECT string_agg(p.name, ', ' ORDER BY p.place) || ' on ' || t.name
            FROM (VALUES
                ('operators', 'SELECT DELETE'), ('sources', 'SELECT INSERT UPDATE DELETE'), ('leads', 'SELECT INSERT UPDATE'),
                ('contacts', 'SELECT INSERT UPDATE'), ('operator_source_weights', 'SELECT INSERT UPDATE DELETE'),
                ('distribution_counts', 'SELECT'), ('assignment_gate', 'UPDATE'),
                ('idempotency_keys', 'SELECT INSERT UPDATE DELETE'),
                ('maintenance_jobs', 'SELECT INSERT UPDATE'), ('contact_tallies', 'SELECT INSERT UPDATE'),
                ('assignment_tallies', 'SELECT INSERT UPDATE'), ('tally_progress', 'SELECT UPDATE'),
                ('contact_steps', 'SELECT'), ('contact_tallies_now', 'SELECT'), ('assignment_tallies_now', 'SELECT'),
                ('operator_full_hours', 'SELECT'),
                ('assignment_batches', 'SELECT INSERT DELETE'), ('schema_migrations', 'SELECT')
            ) AS t (name, privileges)
            CROSS JOIN pg_catalog.unnest(string_to_array(t.privileges, ' ')) WITH ORDINALITY AS p (name, place)
            WHERE NOT has_table_privilege(t.name, p.name)
            GROUP BY t.name
            UNION ALL
            SELECT c.privilege || ' (' || string_agg(c.name, ', ') || ') on operators'
            FROM (VALUES
                ('INSERT', 'name'), ('INSERT', 'is_active'), ('INSERT', 'max_load'), ('UPDATE', 'name'),
                ('UPDATE', 'is_active'), ('UPDATE', 'max_load'), ('UPDATE', 'updated_at')
            ) AS c (privilege, name)
            WHERE NOT has_column_privilege('operators', c.name, c.privilege)
            GROUP BY c.privilege
            UNION ALL
            SELECT 'USAGE on ' || s.name
            FROM pg_catalog.unnest(ARRAY['leads_id_seq', 'contacts_id_seq']) AS s (name)
            WHERE NOT has_sequence_privilege(s.name, 'USAGE, UPDATE')
            UNION ALL
            SELECT 'SELECT on reporting.integrity' FROM pg_class AS c
            WHERE c.relnamespace = 'reporting'::regnamespace AND c.relname = 'integrity'
                AND NOT (has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
            """)

    /// What grants these rights.
    static let grants = Statement(
        unprepared: """
            SELECT 'as a superuser: psql -f sql/roles.sql'
                || CASE WHEN current_user <> 'leads_crm_service'
                    THEN pg_catalog.format(', then GRANT leads_crm_service TO %I', current_user) ELSE '' END
            """)

    /// The user, whether it is a superuser, whether it has the owner's rights, whether it may write a counter or make a
    /// trigger.
    static let role = Statement(
        unprepared: """
            SELECT current_user::text, r.rolsuper, pg_has_role(c.relowner, 'USAGE'),
                has_column_privilege(c.oid, 'current_load', 'INSERT, UPDATE') OR EXISTS (
                    SELECT FROM (VALUES
                        ('operators', 'TRUNCATE, TRIGGER'), ('contacts', 'TRUNCATE, TRIGGER'),
                        ('distribution_counts', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'),
                        ('contact_events', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'),
                        ('schema_migrations', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'),
                        ('sources', 'TRIGGER'), ('leads', 'TRIGGER'), ('operator_source_weights', 'TRIGGER'),
                        ('assignment_gate', 'TRIGGER'), ('assignment_batches', 'TRIGGER'), ('maintenance_jobs', 'TRIGGER'),
                        ('idempotency_keys', 'TRIGGER'),
                        ('contact_tallies', 'TRIGGER'), ('assignment_tallies', 'TRIGGER'), ('tally_progress', 'TRIGGER'),
                        ('operator_full_hours', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
                    ) AS t (name, privileges)
                    WHERE has_table_privilege(t.name, t.privileges))
            FROM pg_class AS c, pg_roles AS r WHERE c.oid = to_regclass('operators') AND r.rolname = current_user
            """)

    /// Settings by which the server's log gets parameters or details of errors: name, value, and what to set.
    static let telltaleSettings = Statement(
        unprepared: """
            SELECT s.name, current_setting(s.name), s.safe
            FROM (VALUES
                ('log_error_verbosity', 'terse', true),
                ('log_parameter_max_length_on_error', '0', true),
                ('log_parameter_max_length', '0', current_setting('log_statement') IN ('mod', 'all')
                    OR current_setting('log_min_duration_statement') <> '-1'
                    OR current_setting('log_min_duration_sample') <> '-1'
                    OR current_setting('log_transaction_sample_rate') <> '0')
            ) AS s (name, safe, matters)
            WHERE s.matters AND current_setting(s.name) <> s.safe
            """)

    /// The triggers that count and refuse, as far as they do not fire for everybody.
    static let triggers = Statement(
        unprepared: """
            SELECT e.table_name, e.name, t.tgname IS NOT NULL
            FROM (VALUES
                ('contacts', 'contacts_inserted'), ('contacts', 'contacts_updated'), ('contacts', 'contacts_deleted'),
                ('contacts', 'contacts_truncated'), ('operators', 'operators_no_overload'),
                ('operators', 'operators_load_is_counted_on_update'), ('operators', 'operators_load_is_counted_on_insert'),
                ('distribution_counts', 'distribution_counts_no_overload_on_insert'),
                ('distribution_counts', 'distribution_counts_no_overload_on_update')
            ) AS e (table_name, name)
            LEFT JOIN pg_trigger AS t ON t.tgrelid = to_regclass(e.table_name) AND t.tgname = e.name
            WHERE COALESCE(t.tgenabled, 'D') NOT IN ('O', 'A')
            ORDER BY 1, 2
            """)
}
