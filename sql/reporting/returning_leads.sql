-- Leads who came back most often in a period, with masked phones and emails.
-- psql -d DATABASE [-v from=2026-11-01] [-v to=2026-12-01] [-v limit=50] -f sql/reporting/returning_leads.sql
-- (default: last 7 days, 20 leads)
\if :{?from}
\else
    SELECT current_date - 7 AS "from" \gset
\endif
\if :{?to}
\else
    \set to now
\endif
\if :{?limit}
\else
    \set limit 20
\endif

SELECT l.lead_id, l.masked_phone, l.masked_email, c.contacts, c.sources, c.operators, c.last_contact_at,
    l.contacts_count AS contacts_ever, l.created_at AS first_seen_at
FROM (
    SELECT lead_id, count(*) AS contacts, count(DISTINCT source_id) AS sources, count(DISTINCT operator_id) AS operators,
        max(created_at) AS last_contact_at
    FROM reporting.contacts
    WHERE created_at >= :'from'::timestamptz AND created_at < :'to'::timestamptz
    GROUP BY lead_id HAVING count(*) > 1
    ORDER BY contacts DESC, lead_id LIMIT :limit
) AS c
JOIN reporting.leads_overview AS l USING (lead_id)
ORDER BY c.contacts DESC, l.lead_id;
