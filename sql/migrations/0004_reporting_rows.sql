-- The rows behind the reports, for the queries of sql/reporting: no message and nothing that names a lead.

CREATE VIEW reporting.contacts AS
SELECT c.id AS contact_id, c.lead_id, c.source_id, s.name AS source_name, c.operator_id, o.name AS operator_name,
    c.status, c.created_at, c.updated_at
FROM contacts AS c JOIN sources AS s ON s.id = c.source_id LEFT JOIN operators AS o ON o.id = c.operator_id;
COMMENT ON VIEW reporting.contacts IS
    'Every contact. Fast for a span of created_at, an operator, a source, a lead, or those who wait; some ten seconds for all of ten million.';
COMMENT ON COLUMN reporting.contacts.contact_id IS 'The contact''s id.';
COMMENT ON COLUMN reporting.contacts.lead_id IS 'The lead''s id, as in leads_overview.';
COMMENT ON COLUMN reporting.contacts.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.contacts.source_name IS 'The source''s name.';
COMMENT ON COLUMN reporting.contacts.operator_id IS 'Who has the contact; an active contact without an operator waits.';
COMMENT ON COLUMN reporting.contacts.operator_name IS 'The operator''s name.';
COMMENT ON COLUMN reporting.contacts.status IS 'active or closed.';
COMMENT ON COLUMN reporting.contacts.created_at IS 'When the contact was registered.';
COMMENT ON COLUMN reporting.contacts.updated_at IS 'When it last changed; NULL: never.';

CREATE VIEW reporting.contact_events AS
SELECT e.id AS event_id, e.contact_id, e.source_id, e.operator_id, e.status, e.created_at FROM contact_events AS e;
COMMENT ON VIEW reporting.contact_events IS
    'What each contact became, in order: one row when it is registered and for each change of operator or status. Fast for a span of created_at; some ten seconds for all of ten million contacts.';
COMMENT ON COLUMN reporting.contact_events.event_id IS 'The event''s id: later ones are greater.';
COMMENT ON COLUMN reporting.contact_events.contact_id IS 'The contact''s id.';
COMMENT ON COLUMN reporting.contact_events.source_id IS 'The source''s id.';
COMMENT ON COLUMN reporting.contact_events.operator_id IS 'Who had the contact from then on; NULL: nobody.';
COMMENT ON COLUMN reporting.contact_events.status IS 'active or closed, from then on.';
COMMENT ON COLUMN reporting.contact_events.created_at IS 'When it happened.';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_crm_reporting') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO leads_crm_reporting;
    END IF;
END
$$;
