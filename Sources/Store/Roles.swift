public import Postgres

/// The database's roles: leads_crm_owner owns everything and migrates, leads_crm_service is who instances connect as,
/// leads_crm_reporting reads reports.
public enum Roles {
    /// Who connects does not have the rights of the tables' owner.
    public struct NotOwner: Error, Sendable, Equatable, CustomStringConvertible {
        public let owner: String
        public let user: String

        public var description: String {
            "this takes the role that owns the tables, \(owner), and the database URL names \(user)"
        }
    }

    /// Makes the roles and gives the database to them: `sql/roles.sql`, which takes a superuser. Leaves alone what is so
    /// already.
    ///
    /// - Throws: ``PostgresError``; nothing was changed then.
    public static func establish(on connection: inout Connection) throws {
        do {
            try connection.run(script: String(decoding: PackageResources.roles_sql, as: UTF8.self))
        } catch {
            try? connection.rollBack()
            throw error
        }
    }

    /// Returns if the connection's role has the rights of the tables' owner.
    ///
    /// - Throws: ``NotOwner``, ``PostgresError``.
    public static func requireOwner(on connection: inout Connection) throws {
        let others = try connection.run(otherOwner()).map { NotOwner(owner: try $0.next(), user: try $0.next()) }
        if let other = others.first { throw other }
    }

    private static let otherOwner = Statement(
        unprepared: """
            SELECT pg_get_userbyid(relowner)::text, current_user::text FROM pg_class
            WHERE oid = to_regclass('contacts') AND NOT pg_has_role(relowner, 'USAGE')
            """)
}
