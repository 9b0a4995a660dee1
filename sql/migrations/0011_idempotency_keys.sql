-- The answers to requests with an Idempotency-Key, kept in the transaction of the change that they tell of.
CREATE TABLE public.idempotency_keys (
    key         text COLLATE "C" NOT NULL,
    entry       integer NOT NULL,
    fingerprint text NOT NULL,
    status      integer,
    body        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key, entry)
);
CREATE INDEX idempotency_keys_created_at_idx ON public.idempotency_keys (created_at);

COMMENT ON TABLE public.idempotency_keys IS
    'Answers to requests with an Idempotency-Key: the same request is answered with them again, and changes nothing.';
COMMENT ON COLUMN public.idempotency_keys.entry IS
    '0: the request; from 1 on an entry of a batch of contacts, which counts by itself.';
COMMENT ON COLUMN public.idempotency_keys.fingerprint IS
    'A digest of the request''s method, target and body.';
COMMENT ON COLUMN public.idempotency_keys.status IS 'Of HTTP; NULL: the request has entries, which have the answers.';
COMMENT ON COLUMN public.idempotency_keys.body IS 'The answer, byte for byte.';

-- Default privileges may have given it to others, and with it the right to read answers.
DO $$
DECLARE
    grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_get_userbyid(a.grantee)) END
        FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS a
        WHERE t.oid = 'public.idempotency_keys'::regclass AND a.grantee <> t.relowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON public.idempotency_keys FROM %s', grantee);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON public.idempotency_keys TO leads_crm_service;
    END IF;
END
$$;
