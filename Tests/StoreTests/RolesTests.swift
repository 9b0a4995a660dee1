import Demo
import Foundation
import Import
import Postgres
import TestSupport
import Testing

@testable import Store

/// Who may do what, and that nobody gets round the guard.
@Suite struct RolesTests {
    private func connect(_ url: String) throws -> Connection { try Connection(ConnectionConfiguration(url: url)) }

    /// A desk whose one operator has one contact and room for no other.
    private func fill(_ psql: Psql) async throws {
        for statement in [
            "INSERT INTO operators (name, max_load) VALUES ('a', 1)", "INSERT INTO sources (name) VALUES ('s')",
            "INSERT INTO leads (name) VALUES ('l')",
            "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1)",
        ] { try await psql.query(statement) }
    }

    /// A role of this test alone, which is gone when the body ends.
    private func withRole(_ psql: Psql, _ body: (String) async throws -> Void) async throws {
        let role = "guest_" + UUID().uuidString.prefix(8).lowercased()
        try await psql.query("CREATE ROLE \(role)")
        let result: Result<Void, any Error>
        do { result = .success(try await body(role)) } catch { result = .failure(error) }
        for statement in ["RESET ROLE", "DROP OWNED BY \(role)", "DROP ROLE \(role)"] {
            try await psql.query(statement)
        }
        try result.get()
    }

    @Test(
        "Nothing that a writer makes of their own comes between the contacts and the guard",
        arguments: [
            ["CREATE TEMP TABLE operators (LIKE public.operators INCLUDING ALL)"],
            [
                "CREATE TEMP TABLE operators (LIKE public.operators INCLUDING ALL)",
                "INSERT INTO operators (id, name, max_load) VALUES (1, 'a', 100)",
                "GRANT ALL ON operators TO PUBLIC",
            ],
            ["CREATE TEMP TABLE inserted (LIKE public.contacts)"],
            ["SET search_path = pg_temp, public, pg_catalog"],
            ["SET leads_crm.guard = off", "SET plan_cache_mode = force_generic_plan"],
        ])
    func shadowing(preparations: [String]) async throws {
        try await TestDatabase.with { database in
            let service = try Psql(database.serviceURL)
            try await fill(service)
            for preparation in preparations { try await service.query(preparation) }
            for _ in 1...2 {
                let refusal = await #expect(throws: Psql.Failure.self) {
                    try await service.query(
                        "INSERT INTO contacts (lead_id, source_id, operator_id) SELECT 1, 1, 1 FROM generate_series(1, 50)"
                    )
                }
                #expect(refusal?.sqlState == "23514")
            }
            var connection = try connect(database.url)
            #expect(try Check().run(on: &connection) == [])
        }
    }

    @Test("Whoever may create in public does not come between them either")
    func overloading() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await fill(psql)
            // This aggregate matches better than the one of pg_catalog, which takes any type.
            for statement in [
                "CREATE FUNCTION public.none(bigint[], bigint) RETURNS bigint[] LANGUAGE sql AS $$SELECT '{}'::bigint[]$$",
                "CREATE AGGREGATE public.array_agg(bigint) (SFUNC = public.none, STYPE = bigint[], INITCOND = '{}')",
            ] { try await psql.query(statement) }
            // The session must be new, because an old one keeps the plans that it has made.
            let writer = try Psql(database.url)
            await #expect(throws: Psql.Failure.self) {
                try await writer.query("INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1)")
            }
            try await writer.query("UPDATE contacts SET status = 'closed'")
            var connection = try connect(database.url)
            #expect(try Check().run(on: &connection) == [])
        }
    }

    @Test("A trigger of the writer's own writes no counter, and counts nothing by the guard's functions")
    func ownTriggers() async throws {
        try await TestDatabase.with { database in
            let service = try Psql(database.serviceURL)
            try await fill(service)
            for statement in [
                "CREATE TEMP TABLE mine (LIKE public.contacts)",
                """
                CREATE FUNCTION pg_temp.emptied() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN UPDATE public.operators SET current_load = 0; RETURN NEW; END'
                """,
                "CREATE TRIGGER emptied BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.emptied()",
            ] { try await service.query(statement) }
            for attempt in [
                "INSERT INTO mine (id) VALUES (1)",
                """
                CREATE TRIGGER counted AFTER DELETE ON mine REFERENCING OLD TABLE AS deleted
                FOR EACH STATEMENT EXECUTE FUNCTION public.contacts_deleted()
                """,
                """
                CREATE TRIGGER emptied BEFORE UPDATE ON public.operators
                FOR EACH ROW EXECUTE FUNCTION pg_temp.emptied()
                """,
            ] {
                let refusal = await #expect(throws: Psql.Failure.self, "\(attempt)") {
                    try await service.query(attempt)
                }
                #expect(refusal?.sqlState == "42501", "\(attempt): \(String(describing: refusal))")
            }
            #expect(try await service.number("SELECT current_load FROM operators") == 1)
        }
    }

    @Test(
        "The service's role writes no counter, defines nothing, and switches nothing off",
        arguments: [
            "UPDATE operators SET current_load = 0", "INSERT INTO operators (name, current_load) VALUES ('b', 0)",
            "UPDATE operators SET id = 7", "UPDATE distribution_counts SET contacts_count = 0",
            "INSERT INTO distribution_counts VALUES (1, NULL, 1)", "DELETE FROM distribution_counts",
            "DELETE FROM contact_events", "UPDATE contact_events SET status = 'closed'",
            "INSERT INTO contact_events (contact_id, source_id, status) VALUES (1, 1, 'closed')",
            "SELECT add_to_loads(ARRAY[1::bigint], ARRAY[-1::bigint])",
            "SELECT add_to_distribution_counts(ARRAY[1::bigint], ARRAY[1::bigint], ARRAY[-1::bigint], ARRAY[-1::bigint])",
            "TRUNCATE contacts", "DELETE FROM contacts", "CREATE TABLE t ()",
            "CREATE SCHEMA s",
            "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "ALTER TABLE contacts ADD x integer",
            "ALTER TABLE contacts DISABLE TRIGGER contacts_inserted", "DROP TABLE contacts", "SET ROLE leads_crm_owner",
            "SET session_replication_role = replica", "DELETE FROM schema_migrations",
            "DROP TRIGGER contacts_inserted ON contacts",
        ])
    func service(statement: String) async throws {
        try await TestDatabase.with { database in
            let service = try Psql(database.serviceURL)
            try await fill(service)
            let refusal = await #expect(throws: Psql.Failure.self) { try await service.query(statement) }
            #expect(refusal?.sqlState == "42501", "\(String(describing: refusal))")
        }
    }

    @Test("A role that may insert contacts and nothing else is counted and guarded")
    func contactsOnly() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await fill(psql)
            try await psql.query("UPDATE operators SET max_load = 2")
            try await withRole(psql) { role in
                try await psql.query("GRANT INSERT ON contacts TO \(role)")
                try await psql.query("SET ROLE \(role)")
                let insert = "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 1)"
                try await psql.query(insert)
                let refusal = await #expect(throws: Psql.Failure.self) { try await psql.query(insert) }
                #expect(refusal?.sqlState == "23514")
            }
            #expect(try await psql.number("SELECT current_load FROM operators") == 2)
            #expect(try await psql.number("SELECT contacts_count FROM distribution_counts") == 2)
        }
    }

    @Test("Whoever was granted whole tables keeps what is no counter, and makes no trigger on any")
    func tableGrants() async throws {
        try await TestDatabase.with(.none) { database in
            let psql = try Psql(database.url)
            var connection = try connect(database.url)
            _ = try Migrations.migrate(&connection, to: 6)
            try await withRole(psql) { role in
                try await psql.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO \(role)")
                try await psql.query("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO \(role)")
                _ = try Migrations.migrate(&connection)
                try await psql.query("SET ROLE \(role)")
                try await psql.query("INSERT INTO operators (name) VALUES ('a')")
                try await psql.query("UPDATE operators SET max_load = 3")
                for statement in [
                    "UPDATE operators SET current_load = 0", "DELETE FROM distribution_counts",
                    "UPDATE contact_events SET status = 'x'", "DELETE FROM contact_events", "TRUNCATE contacts",
                    "UPDATE schema_migrations SET checksum = 'x'", "DELETE FROM schema_migrations",
                    "TRUNCATE schema_migrations",
                ] {
                    let refusal = await #expect(throws: Psql.Failure.self) { try await psql.query(statement) }
                    #expect(refusal?.sqlState == "42501", "\(statement)")
                }
                let triggers = try await psql.query(
                    """
                    SELECT relname FROM pg_class
                    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND has_table_privilege(oid, 'TRIGGER')
                    """)
                #expect(triggers == [])
            }
        }
    }

    @Test("A snapshot older than the contacts does not empty them", arguments: ["REPEATABLE READ", "SERIALIZABLE"])
    func oldSnapshot(isolation: String) async throws {
        try await TestDatabase.with { database in
            let (psql, writer) = (try Psql(database.url), try Psql(database.url))
            try await fill(psql)
            try await psql.query("BEGIN ISOLATION LEVEL \(isolation)")
            try await psql.query("SELECT 1")
            for statement in [
                "INSERT INTO operators (name) VALUES ('b')",
                "INSERT INTO contacts (lead_id, source_id, operator_id) VALUES (1, 1, 2)",
            ] { try await writer.query(statement) }
            let refusal = await #expect(throws: Psql.Failure.self) { try await psql.query("TRUNCATE contacts") }
            #expect(refusal?.sqlState == "25000")
            _ = try? await psql.query("COMMIT")
            var connection = try connect(database.url)
            #expect(try Check().run(on: &connection) == [])
        }
    }

    @Test("A plain role that owns the database migrates it, without making roles or being a superuser")
    func plainOwner() async throws {
        try await TestDatabase.with(.none) { database in
            let psql = try Psql(database.url)
            try await withRole(psql) { role in
                try await psql.query("ALTER ROLE \(role) LOGIN")
                let name = try await psql.query("SELECT current_database()")[0][0]
                try await psql.query("ALTER DATABASE \(name) OWNER TO \(role)")
                var url = try #require(URLComponents(string: database.url))
                url.user = role
                var connection = try connect(try #require(url.string))
                #expect(try Migrations.migrate(&connection) == Migrations.all.map(\.version))
                try await fill(psql)
                let definers = "SELECT count(*) FROM pg_proc WHERE prosecdef AND proowner = '\(role)'::regrole"
                #expect(try await psql.number(definers) == 6)
                // In a cluster that has the roles, whoever migrates gives them their rights.
                #expect(try await Psql(database.serviceURL).number("SELECT count(*) FROM contacts") == 1)
                try await psql.query("ALTER DATABASE \(name) OWNER TO leads_crm")
            }
        }
    }

    @Test(
        "What a superuser migrated goes to the owner by sql/roles.sql, and what a superuser adds later is the owner's")
    func takeover() async throws {
        try await TestDatabase.with(.none) { database in
            let psql = try Psql(database.url)
            var connection = try connect(database.url)
            _ = try Migrations.migrate(&connection, to: 6)
            for _ in 1...2 { try Roles.establish(on: &connection) }
            #expect(try Migrations.migrate(&connection).last == Migrations.all.last?.version)
            let others = """
                SELECT relname FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'reporting'::regnamespace)
                    AND relowner <> 'leads_crm_owner'::regrole
                UNION ALL SELECT proname FROM pg_proc
                WHERE pronamespace = 'public'::regnamespace AND proowner <> 'leads_crm_owner'::regrole
                UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'reporting' AND nspowner <> 'leads_crm_owner'::regrole
                """
            #expect(try await psql.query(others) == [])
            try await fill(try Psql(database.serviceURL))
        }
    }

    @Test("Neither sql/roles.sql nor a migration runs what others planted in public")
    func planted() async throws {
        try await TestDatabase.with(.none) { database in
            let psql = try Psql(database.url)
            var connection = try connect(database.url)
            _ = try Migrations.migrate(&connection, to: 6)
            try await withRole(psql) { role in
                try await psql.query("GRANT CREATE ON SCHEMA public TO \(role)")
                try await psql.query("SET ROLE \(role)")
                // Each matches better than the one of pg_catalog, which takes any type or another one.
                for signature in [
                    "format(text, text)", "format(text, name)", "format(text, text, text)",
                    "format(text, regclass, text)",
                    "format(text, text, regclass, text)", "format(text, text, name)", "quote_ident(name)",
                ] {
                    try await psql.query(
                        """
                        CREATE FUNCTION public.\(signature) RETURNS text LANGUAGE plpgsql
                        AS $$BEGIN RAISE EXCEPTION 'ran as %', current_user; END$$
                        """)
                }
                try await psql.query("RESET ROLE")
                try await psql.query("GRANT ALL ON operators, contact_events TO \(role)")
                try Roles.establish(on: &connection)
                _ = try Migrations.migrate(&connection)
                try Roles.establish(on: &connection)
            }
        }
    }

    @Test("The owner becomes no superuser when one runs sql/roles.sql, whatever its functions do")
    func ownersFunctions() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            try await withRole(psql) { role in
                // A function of this name was once run there.
                let owner = try Psql(database.ownerURL)
                try await owner.query(
                    """
                    CREATE FUNCTION public.grant_rights() RETURNS void LANGUAGE plpgsql
                    AS $$BEGIN RESET ROLE; ALTER ROLE \(role) SUPERUSER; END$$
                    """)
                var superuser = try connect(database.url)
                try Roles.establish(on: &superuser)
                #expect(try await psql.query("SELECT rolsuper FROM pg_roles WHERE rolname = '\(role)'") == [["f"]])
            }
        }
    }

    @Test(
        "After a restore without rights sql/roles.sql gives each role what the migrations gave it, and PUBLIC nothing")
    func restoredWithoutRights() async throws {
        try await TestDatabase.with { database in
            let psql = try Psql(database.url)
            let rights = """
                SELECT relname, a::text FROM pg_class CROSS JOIN unnest(relacl) AS a
                WHERE relnamespace IN ('public'::regnamespace, 'reporting'::regnamespace)
                UNION ALL SELECT relname || '.' || attname, a::text
                FROM pg_class AS c JOIN pg_attribute ON attrelid = c.oid CROSS JOIN unnest(attacl) AS a
                WHERE relnamespace = 'public'::regnamespace
                UNION ALL SELECT proname, a::text FROM pg_proc CROSS JOIN unnest(proacl) AS a
                WHERE pronamespace = 'public'::regnamespace
                UNION ALL SELECT nspname, a::text FROM pg_namespace CROSS JOIN unnest(nspacl) AS a
                WHERE nspname = 'reporting' ORDER BY 1, 2
                """
            let migrated = try await psql.query(rights)
            #expect(migrated.count > 50)
            for schema in ["public", "reporting"] {
                for kind in ["TABLES", "SEQUENCES"] {
                    try await psql.query(
                        "REVOKE ALL ON ALL \(kind) IN SCHEMA \(schema) FROM leads_crm_service, leads_crm_reporting")
                }
            }
            try await psql.query("REVOKE ALL ON SCHEMA reporting FROM leads_crm_service, leads_crm_reporting")
            try await psql.query("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC")
            var connection = try connect(database.url)
            try Roles.establish(on: &connection)
            // What the owner may do on its own things is spelled out or not; it is the same.
            let differences = Set(try await psql.query(rights)).symmetricDifference(migrated)
                .filter { !$0[1].hasPrefix("leads_crm_owner=") }
            #expect(differences == [])
        }
    }

    @Test("The owner's dump, as the manual has it, is broken by no large object of another role")
    func dump() async throws {
        try await TestDatabase.with { database in
            try await Psql(database.serviceURL).query("SELECT lo_create(0)")
            let manual = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "docs/operating.md")
            let text = try String(contentsOf: manual, encoding: .utf8)
            let command = try #require(text.firstMatch(of: /`(pg_dump [^`]*)`/)).1.split(separator: " ").map(
                String.init)
            let directory = try ScratchDirectory.makeSubdirectory("dump")
            let process = try ChildProcess(
                command + ["--dbname", database.ownerURL], in: directory, streams: .files(in: directory))
            defer { process.signal(SIGKILL) }
            let status = try await process.end()
            let errors = try String(contentsOfFile: directory + "/stderr", encoding: .utf8)
            #expect(status == 0, "\(errors)")
        }
    }

    @Test("Who may not migrate serves a database that lacks nothing, and is told who may migrate one that does")
    func pending() async throws {
        try await TestDatabase.with { database in
            var service = try connect(database.serviceURL)
            #expect(try Migrations.migrate(&service) == [])
            let version = Migrations.all.last!.version
            try await Psql(database.url).query("DELETE FROM schema_migrations WHERE version = \(version)")
            let failure = #expect(throws: Migrations.Failure.self) {
                var service = try connect(database.serviceURL)
                _ = try Migrations.migrate(&service)
            }
            guard case .forbidden(version, _)? = failure else {
                return #expect(Bool(false), "\(String(describing: failure))")
            }
        }
    }

    @Test("What takes the owner says so")
    func notOwner() async throws {
        try await TestDatabase.with { database in
            let failure = Roles.NotOwner(owner: "leads_crm_owner", user: "leads_crm_service")
            #expect(throws: failure) {
                var service = try connect(database.serviceURL)
                try CounterRepair.run(on: &service)
            }
            #expect(throws: failure) {
                var service = try connect(database.serviceURL)
                _ = try Demo(contacts: 1, days: 1, seed: 1).run(on: &service) { _ in }
            }
            #expect(throws: failure) {
                var service = try connect(database.serviceURL)
                _ = try SQLiteImport.run("nothing.db", on: &service) { _ in }
            }
            var owner = try connect(database.ownerURL)
            try CounterRepair.run(on: &owner)
        }
    }
}
