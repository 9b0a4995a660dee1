import Postgres

/// The batches that committed lately, which tell an instance that lost its connection during COMMIT what became of its.
enum BatchStatements {
    /// Marks the batch as done, and takes the time limit off COMMIT: one that waits for a synchronous standby and
    /// is cancelled would be taken for durable.
    static let mark = Statement(
        """
        INSERT INTO assignment_batches (id, attempt) VALUES ($1::uuid, $2::integer)
        RETURNING set_config('statement_timeout', '0', true)
        """)

    /// A small write of no batch, for a COMMIT that waits until all that was written before it is safe (decision 26).
    static var smallWrite: Query {
        mark(.uuid(high: .random(in: .min ... .max), low: .random(in: .min ... .max)), .int4(0))
    }

    /// Which attempt of a batch committed, if any.
    static let committedAttempt = Statement("SELECT attempt FROM assignment_batches WHERE id = $1::uuid")
}
