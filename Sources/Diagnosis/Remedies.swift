public import Postgres
import Store

extension ConnectionConfiguration {
    /// What whoever runs the program can do about a connection that does not come about. Tries once more to find out.
    public var remedy: String {
        guard isWellFormed else {
            return "write postgresql://user:password@host:5432/database, with special characters as %XX"
        }
        return switch refusal {
        case "28P01": "the user or the password is wrong: mend it in the URL, in PGPASSWORD or in ~/.pgpass"
        case "28000": "this user may not come in like this: CREATE ROLE … LOGIN if there is none, else see pg_hba.conf"
        case "3D000": "there is no such database: CREATE DATABASE …, or mend its name in the URL"
        case "42501": "GRANT CONNECT ON DATABASE … to this user"
        case "53300": "all connections are taken: raise max_connections, or lower DATABASE_POOL of the instances"
        case "57P03": "PostgreSQL starts or stops just now: try again"
        default:
            "see that PostgreSQL runs there, lets you in, and can be written: psql \"$DATABASE_URL\" -c 'SELECT 1'"
        }
    }
}

extension PostgresError {
    /// What whoever runs the program can do about it; `nil` if only the error itself tells.
    public var remedy: String? {
        guard case .server(let error) = self else { return nil }
        return switch error.sqlState {
        case "42501": "GRANT what is missing to this user"
        // No such table, column or schema.
        case "42P01", "42703", "3F000": "the database lacks tables or views of this version: leads-crm migrate"
        default: nil
        }
    }
}
