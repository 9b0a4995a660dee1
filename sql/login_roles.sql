-- sql/roles.sql, and passwords for those who log in, from the environment:
--   OWNER_PASSWORD=… SERVICE_PASSWORD=… psql -v ON_ERROR_STOP=1 -d crm -f sql/login_roles.sql
\getenv owner OWNER_PASSWORD
\getenv service SERVICE_PASSWORD
\ir roles.sql
ALTER ROLE leads_crm_owner LOGIN PASSWORD :'owner';
ALTER ROLE leads_crm_service LOGIN PASSWORD :'service';
