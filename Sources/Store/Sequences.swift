public import Postgres

/// The sequences that give new rows their ids.
public enum Sequences {
    /// Moves them past the largest ids, where rows came with ids of their own, never back; and commits the transaction
    /// that wrote the rows.
    ///
    /// - Throws: ``PostgresError``.
    public static func catchUpAndCommit(on connection: inout Connection) throws {
        _ = try connection.run([catchUp(), AssignmentStatements.commit()], committing: true)
    }

    private static let catchUp = Statement(
        unprepared: ["operators", "sources", "operator_source_weights", "leads", "contacts"].map { table in
            """
            SELECT setval('\(table)_id_seq', m.id)
            FROM (SELECT max(id) AS id FROM \(table)) AS m, \(table)_id_seq AS s
            WHERE m.id >= s.last_value
            """
        }.joined(separator: "\nUNION ALL "))
}
