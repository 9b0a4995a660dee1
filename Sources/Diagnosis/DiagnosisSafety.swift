import Postgres
import Store

/// What the instance's role may do, and what the server's log may tell.
extension Diagnosis {
    func rights(_ connection: inout Connection) throws -> [Finding] {
        let lacking = try connection.run(DiagnosisStatements.rights()).map { try $0.next(String.self) }
        guard !lacking.isEmpty else { return [Finding(.ok, "rights", "all that an instance needs")] }
        let grants = try connection.run(DiagnosisStatements.grants()).first { try $0.next(String.self) }
        return [Finding(.failure, "rights", "this user lacks \(lacking.joined(separator: "; "))", remedy: grants)]
    }

    func role(_ connection: inout Connection) throws -> [Finding] {
        let (user, isSuperuser, isOwner, getsRound) = try connection.run(DiagnosisStatements.role()).first {
            (
                try $0.next(String.self), try $0.next(Bool.self), try $0.next(Bool.self), try $0.next(Bool.self)
            )
        }!
        let service = "name leads_crm_service in DATABASE_URL; psql -f sql/roles.sql, as a superuser, makes it"
        if isSuperuser {
            return [
                Finding(
                    .warning, "role", "\(user) is a superuser: no right and no guard binds it", remedy: service)
            ]
        }
        if isOwner {
            return [
                Finding(
                    .warning, "role", "\(user) owns the tables: it can switch the guards off",
                    remedy: "\(service); \(user) is for migrate")
            ]
        }
        guard getsRound else {
            return [Finding(.ok, "role", "\(user) is no superuser, and can neither write counters nor make triggers")]
        }
        return [
            Finding(
                .warning, "role", "\(user) may write counters or make triggers, and so get round the guard",
                remedy: "as the tables' owner: REVOKE ALL ON ALL TABLES IN SCHEMA public FROM \(user); then "
                    + "as a superuser: GRANT leads_crm_service TO \(user)")
        ]
    }

    /// Statements have their values as parameters, and name nobody; parameters and details of errors do.
    func logging(_ connection: inout Connection) throws -> [Finding] {
        let settings = try connection.run(DiagnosisStatements.telltaleSettings()).map {
            (
                name: try $0.next(String.self), value: try $0.next(String.self), safe: try $0.next(String.self)
            )
        }
        guard !settings.isEmpty else {
            return [Finding(.ok, "logging", "PostgreSQL's log has no parameters and no details of errors")]
        }
        return [
            Finding(
                .warning, "logging",
                "PostgreSQL's log may get phones, emails and messages: "
                    + settings.map { "\($0.name) is \($0.value)" }.joined(separator: ", "),
                remedy: settings.map { "ALTER SYSTEM SET \($0.name) = \($0.safe);" }.joined(separator: " ")
                    + " SELECT pg_reload_conf()")
        ]
    }
}
