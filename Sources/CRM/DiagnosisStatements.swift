import Postgres

/// What ``Diagnosis`` asks. Nothing of it is prepared, but for the statement that tries just that.
enum DiagnosisStatements {
    static let setting = Statement("diagnosis_setting", prepared: false, "SELECT current_setting($1::text)")
    static let clock = Statement("diagnosis_clock", prepared: false, "SELECT clock_timestamp()")
    static let process = Statement("diagnosis_process", prepared: false, "SELECT pg_backend_pid()")
    static let prepared = Statement("diagnosis_prepared", "SELECT 1")

    /// Whether it is a standby, whether transactions are read-only, and what would set that back.
    static let writing = Statement(
        "diagnosis_writing", prepared: false,
        """
        SELECT pg_is_in_recovery(), s.setting = 'on',
            CASE s.source
                WHEN 'database' THEN format('ALTER DATABASE %I RESET %s', current_database(), s.name)
                WHEN 'user' THEN format('ALTER ROLE %I RESET %s', current_user, s.name)
                WHEN 'database user' THEN
                    format('ALTER ROLE %I IN DATABASE %I RESET %s', current_user, current_database(), s.name)
                WHEN 'client' THEN format('remove %s from PGOPTIONS or from the options in DATABASE_URL', s.name)
                ELSE format('ALTER SYSTEM SET %s = off; SELECT pg_reload_conf()', s.name)
            END
        FROM pg_settings AS s WHERE s.name = 'default_transaction_read_only'
        """)

    /// The most connections for this role to this database, and those in use, whoever's.
    static let connections = Statement(
        "diagnosis_connections", prepared: false,
        """
        SELECT least(
                current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
                NULLIF((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1),
                NULLIF((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1)),
            (SELECT sum(numbackends)::bigint FROM pg_stat_database)
        """)

    /// What lets this user migrate, as far as it may not.
    static let creation = Statement(
        "diagnosis_creation", prepared: false,
        """
        SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
        WHERE NOT has_database_privilege(current_database(), 'CREATE')
        UNION ALL
        SELECT format('GRANT CREATE ON SCHEMA %I TO %I', COALESCE(current_schema(), 'public'), current_user)
        WHERE current_schema() IS NULL OR NOT has_schema_privilege(current_schema(), 'CREATE')
        """)

    private static let tables = """
        unnest(ARRAY['operators', 'sources', 'operator_source_weights', 'leads', 'contacts', 'distribution_counts',
            'contact_events', 'assignment_gate', 'assignment_batches']) AS t (name)
        """

    static let hasTables = Statement(
        "diagnosis_has_tables", prepared: false,
        """
        SELECT bool_and(to_regclass(t.name) IS NOT NULL)
            AND EXISTS (SELECT FROM pg_views WHERE schemaname = 'reporting' AND viewname = 'integrity')
        FROM \(tables)
        """)

    static let rights = Statement(
        "diagnosis_rights", prepared: false,
        """
        SELECT string_agg(p.name, ', ') || ' on ' || t.name
        FROM \(tables) CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (name)
        WHERE NOT has_table_privilege(t.name, p.name)
        GROUP BY t.name
        UNION ALL
        SELECT 'USAGE on ' || s.name
        FROM unnest(ARRAY['operators_id_seq', 'sources_id_seq', 'operator_source_weights_id_seq', 'leads_id_seq',
            'contacts_id_seq', 'contact_events_id_seq']) AS s (name)
        WHERE NOT has_sequence_privilege(s.name, 'USAGE')
        UNION ALL
        SELECT 'SELECT on schema_migrations' WHERE NOT has_table_privilege('schema_migrations', 'SELECT')
        UNION ALL
        SELECT 'SELECT on reporting.integrity' FROM pg_class AS c
        WHERE c.relnamespace = 'reporting'::regnamespace AND c.relname = 'integrity'
            AND NOT (has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
        """)

    /// What grants these rights.
    static let grants = Statement(
        "diagnosis_grants", prepared: false,
        """
        SELECT format('as the tables'' owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %1$I TO %2$I; '
            'GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA %1$I TO %2$I; GRANT leads_crm_reporting TO %2$I',
            current_schema(), current_user)
        """)

    /// Triggers of `sql/migrations/0001_initial.sql` that do not fire for everybody.
    static let triggers = Statement(
        "diagnosis_triggers", prepared: false,
        """
        SELECT e.table_name, e.name, t.tgname IS NOT NULL
        FROM (VALUES
            ('contacts', 'contacts_inserted'), ('contacts', 'contacts_updated'), ('contacts', 'contacts_deleted'),
            ('contacts', 'contacts_truncated'), ('operators', 'operators_no_overload'),
            ('operators', 'operators_load_is_counted_on_update'), ('operators', 'operators_load_is_counted_on_insert')
        ) AS e (table_name, name)
        LEFT JOIN pg_trigger AS t ON t.tgrelid = to_regclass(e.table_name) AND t.tgname = e.name
        WHERE COALESCE(t.tgenabled, 'D') NOT IN ('O', 'A')
        ORDER BY 1, 2
        """)
}
