import Postgres

/// The sequences that give new rows their ids.
enum Sequences {
    /// Moves them past the largest ids, where rows came with ids of their own; never back.
    static let catchUp = Statement(
        "sequences_catch_up", prepared: false,
        ["operators", "sources", "operator_source_weights", "leads", "contacts"].map { table in
            """
            SELECT setval('\(table)_id_seq', m.id)
            FROM (SELECT max(id) AS id FROM \(table)) AS m, \(table)_id_seq AS s
            WHERE m.id >= s.last_value
            """
        }.joined(separator: "\nUNION ALL "))
}
