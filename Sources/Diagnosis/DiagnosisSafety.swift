import Model
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

    /// Somebody's open SERIALIZABLE transaction keeps the predicate locks of all that commit meanwhile, and there is room for
    /// a number of them only.
    func predicateLocks(_ connection: inout Connection) throws -> [Finding] {
        let subject = "predicate locks"
        let (taken, most, areMany) = try connection.run(DiagnosisStatements.predicateLocks()).first {
            (try $0.next(Int64.self), try $0.next(Int64.self), try $0.next(Bool.self))
        }!
        let text = "\(taken) of \(most) are taken"
        if let old = try connection.run(Workload.OldSnapshot.query).first({ try Workload.OldSnapshot(&$0) }) {
            return [
                Finding(
                    .warning, subject,
                    "\(text); process \(old.process), user \(old.user) (\(old.application)) keeps them, with a transaction that "
                        + "has been open for \(old.age) others",
                    remedy: "end that transaction, or: SELECT pg_terminate_backend(\(old.process))")
            ]
        }
        guard areMany else { return [Finding(.ok, subject, text)] }
        return [
            Finding(
                .warning, subject,
                "\(text); each transaction takes many, so that an open SERIALIZABLE one uses them up",
                remedy: ["relation = 0", "page = 0", "transaction = 256"]
                    .map { "ALTER SYSTEM SET max_pred_locks_per_\($0);" }.joined(separator: " ")
                    + " then restart PostgreSQL")
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
