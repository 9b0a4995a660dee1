-- The contacts that wait longest for an operator, with their leads' masked phones and emails.
-- psql -d DATABASE [-v limit=50] -f sql/reporting/longest_waiting.sql     (default: 20)
\if :{?limit}
\else
    \set limit 20
\endif

SELECT w.contact_id, w.source_id, w.source_name, w.created_at, date_trunc('second', now() - w.created_at) AS waiting_for,
    l.lead_id, l.masked_phone, l.masked_email, l.contacts_count AS contacts_of_lead
FROM (
    SELECT contact_id, source_id, source_name, lead_id, created_at FROM reporting.contacts
    WHERE status = 'active' AND operator_id IS NULL
    ORDER BY contact_id LIMIT :limit
) AS w
JOIN reporting.leads_overview AS l USING (lead_id)
ORDER BY w.contact_id;
