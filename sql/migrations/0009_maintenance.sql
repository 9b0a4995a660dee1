-- What one instance at a time does now and then, and when it is due again.
CREATE TABLE public.maintenance_jobs (
    name   text NOT NULL,
    due_at timestamptz NOT NULL,
    CONSTRAINT maintenance_jobs_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE public.maintenance_jobs IS
    'Work that instances do now and then: whoever finds a job due moves due_at on and does it.';

-- Default privileges may have given it to others, and with it the right to make triggers.
DO $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_get_userbyid(a.grantee)) END
        FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS a
        WHERE t.oid = 'public.maintenance_jobs'::regclass AND a.grantee <> t.relowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON public.maintenance_jobs FROM %s', grantee);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT SELECT, INSERT, UPDATE ON public.maintenance_jobs TO leads_crm_service;
    END IF;
END
$$;
