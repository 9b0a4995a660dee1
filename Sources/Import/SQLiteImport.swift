import Model
public import Postgres
import Store

/// Takes over the old service's database, ids included, in one transaction.
///
/// Rows whose ids are there already are left as they are, so that a second import adds nothing; other rows under the
/// same ids (told by `created_at`) are a ``Failure``. What breaks this service's rules is changed as little as the
/// rules allow and told as a ``Change``; no contact is left out.
public enum SQLiteImport {
    /// In the order in which they are imported.
    public enum Table: String, Sendable, CaseIterable {
        case operators, sources
        case weights = "operator_source_weights"
        case leads, contacts
    }

    /// What became of a table's rows.
    public struct Count: Sendable, Equatable {
        public let table: Table
        public internal(set) var added = 0
        /// Under the same id; left as they are.
        public internal(set) var alreadyThere = 0
        /// Weights that are of no use.
        public internal(set) var leftOut = 0
    }

    /// A value that is not taken over as it is in the file, or that wants attention.
    public struct Change: Sendable, Equatable {
        public let table: Table
        public let id: Int64
        public let column: String
        public let was: String?
        public let becomes: String?
        public let reason: Reason
    }

    /// Why a value is not taken over as it is; the text completes the sentence "7 …".
    public enum Reason: String, Sendable, CaseIterable {
        case overloaded = "operators hold more than max_load: they get nothing new until there is room"
        case placeholder = "leads or sources that contacts name do not exist: made, without data"
        case danglingOperator = "contacts name an operator who does not exist: they have none, and wait if active"
        case unknownStatus = "contacts are neither active nor closed: no load counted them, so they are closed"
        case duplicateIdentifier = "identifiers belong to another lead: this lead does without, and keeps its contacts"
        case leftOut = "weights are of no use (below 1, given twice, or nobody's): left out"
        case outOfRange = "limits or weights are beyond 1 to 2147483647"
        case name = "names are missing, or another source's: the id tells them apart"
        case normalised = "identifiers are written as the API writes them"
        case unwritable = "texts hold NUL characters, which PostgreSQL cannot store: removed"
        case noTime = "rows have no created_at: they get the time of the import"
    }

    public enum Event: Sendable {
        /// How many rows of all tables are done.
        case progress(done: Int, of: Int)
        case change(Change)
    }

    /// Why nothing was imported.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        public let description: String
    }

    /// Imports a file. Instances that serve the database meanwhile wait at the gate; reads go on.
    ///
    /// - Parameters:
    ///   - path: The SQLite database. It is only read.
    ///   - connection: To a database with all migrations.
    ///   - tell: Called during the import. Changes are final only when it has returned.
    /// - Returns: What became of the rows of each table.
    /// - Throws: ``Failure``, ``Roles/NotOwner``, ``PostgresError``; nothing was changed then, unless the error is
    ///   ``PostgresError/commitOutcomeUnknown(_:)``. The import can be run again in any case.
    public static func run(
        _ path: String, on connection: inout Connection, tell: @escaping (Event) -> Void
    ) throws -> [Count] {
        try Roles.requireOwner(on: &connection)
        let old = try OldDatabase(path: path)
        try old.checkTables()
        var rows = try RowImport(total: Table.allCases.reduce(0) { try $0 + old.count($1) }, tell: tell)
        do {
            for statement in SQLiteImportStatements.begin { try connection.run(script: statement) }
            try rows.takeOver(old, on: &connection)
            try Sequences.catchUpAndCommit(on: &connection)
        } catch PostgresError.server(let error) where [.locked, .cancelled, .conflict].contains(error.kind) {
            try? connection.rollBack()
            throw Failure(
                description: """
                    another transaction holds these tables (see pg_stat_activity, state "idle in transaction"): \
                    \(error.message). Try again when it has ended
                    """)
        } catch {
            try? connection.rollBack()
            throw error
        }
        return Table.allCases.map { rows.counts[$0]! }
    }
}
