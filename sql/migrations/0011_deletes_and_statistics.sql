-- Deletes of operators and sources to which no contact ever belonged, which distribution_counts tells: its rows stay, at 0
-- if need be, and refer to both.

-- Serves the foreign key: whether an operator that is deleted ever had a contact.
CREATE INDEX distribution_counts_operator_id_idx ON public.distribution_counts (operator_id);

COMMENT ON TABLE public.distribution_counts IS
    'Contacts of each source by operator, whatever their status; kept by triggers. A pair that had one keeps its row.';

-- A repair of the counters forgot these rows until now.
INSERT INTO public.distribution_counts (source_id, operator_id, contacts_count)
SELECT e.source_id, e.operator_id, 0
FROM (SELECT DISTINCT source_id, operator_id FROM public.contact_events) AS e
JOIN public.sources AS s ON s.id = e.source_id LEFT JOIN public.operators AS o ON o.id = e.operator_id
WHERE e.operator_id IS NULL OR o.id IS NOT NULL
ON CONFLICT (source_id, (COALESCE(operator_id, 0))) DO NOTHING;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_service') THEN
        GRANT DELETE ON public.operators, public.sources TO leads_crm_service;
    END IF;
END
$$;
