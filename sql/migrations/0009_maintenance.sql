-- What one instance at a time does now and then, and when it is due again.
CREATE TABLE public.maintenance_jobs (
    name   text NOT NULL,
    due_at timestamptz NOT NULL,
    CONSTRAINT maintenance_jobs_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE public.maintenance_jobs IS
    'Work that instances do now and then: whoever finds a job due moves due_at on and does it.';

-- As before, with the new table.
CREATE OR REPLACE FUNCTION public.grant_rights() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
        GRANT SELECT, INSERT, UPDATE ON public.sources, public.leads, public.contacts, public.maintenance_jobs
            TO leads_crm_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON public.operator_source_weights TO leads_crm_service;
        GRANT SELECT, INSERT, DELETE ON public.assignment_batches TO leads_crm_service;
        -- It never holds a row; this is what LOCK TABLE asks for.
        GRANT UPDATE ON public.assignment_gate TO leads_crm_service;
        GRANT USAGE ON SEQUENCE public.contacts_id_seq, public.leads_id_seq TO leads_crm_service;
    END IF;
END
$$;

SELECT public.grant_rights();
