-- Who may call the API. A key's secret is nowhere: what is stored is SHA-256 of the key.
CREATE TABLE public.api_keys (
    id         text COLLATE "C" NOT NULL,
    hash       bytea NOT NULL,
    name       text NOT NULL,
    scopes     text[] NOT NULL,
    source_ids bigint[],
    rate_limit integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_id_check CHECK (id ~ '^[0-9A-Za-z]{8}$'),
    CONSTRAINT api_keys_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT api_keys_scopes_check CHECK (
        COALESCE(array_ndims(scopes), 0) = 1 AND scopes <@ ARRAY['register', 'read', 'operate', 'metrics', 'admin']),
    CONSTRAINT api_keys_source_ids_check CHECK (
        cardinality(source_ids) = 0 OR array_ndims(source_ids) = 1 AND array_position(source_ids, NULL) IS NULL),
    CONSTRAINT api_keys_rate_limit_check CHECK (rate_limit >= 1)
);
COMMENT ON TABLE public.api_keys IS 'Keys to the API. To revoke one, delete its row: instances notice within seconds.';
COMMENT ON COLUMN public.api_keys.id IS 'The part of the key that names it.';
COMMENT ON COLUMN public.api_keys.hash IS 'SHA-256 of the whole key.';
COMMENT ON COLUMN public.api_keys.scopes IS 'What it allows: register, read, operate, metrics, admin.';
COMMENT ON COLUMN public.api_keys.source_ids IS 'The sources at which it registers contacts; NULL: all.';
COMMENT ON COLUMN public.api_keys.rate_limit IS 'Requests a second, at each instance; NULL: without limit.';

-- What is kept is read as an answer.
ALTER TABLE public.idempotency_keys ADD CONSTRAINT idempotency_keys_status_check CHECK (status BETWEEN 200 AND 299);

CREATE TABLE public.api_keys_revision (revision bigint NOT NULL);
CREATE UNIQUE INDEX api_keys_revision_one_row ON public.api_keys_revision ((true));
COMMENT ON TABLE public.api_keys_revision IS 'One row, which changes with api_keys: instances look at it every two seconds.';
INSERT INTO public.api_keys_revision VALUES (1);

CREATE FUNCTION public.api_keys_changed() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.api_keys_revision SET revision = revision + 1;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION public.api_keys_changed() FROM PUBLIC;
CREATE TRIGGER api_keys_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.api_keys
FOR EACH STATEMENT EXECUTE FUNCTION public.api_keys_changed();

-- Default privileges may have given these to others.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT t.oid::regclass AS name,
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
        FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS a
        WHERE t.oid IN ('public.api_keys'::regclass, 'public.api_keys_revision'::regclass) AND a.grantee <> t.relowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', granted.name, granted.grantee);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT SELECT, INSERT, DELETE ON public.api_keys TO leads_crm_service;
        GRANT SELECT ON public.api_keys_revision TO leads_crm_service;
    END IF;
END
$$;
