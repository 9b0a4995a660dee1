import Assignment
public import Model
public import Postgres

enum IdempotencyStatements {
    /// What is kept of these keys and entries, with the place of each: the entry itself, and 0, which says what request the
    /// key is for.
    private static let kept = Statement(
        """
        SELECT n.place, k.fingerprint, k.entry = n.entry AND k.status IS NOT NULL, k.status, k.body
        FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS n (key, entry, place)
        CROSS JOIN LATERAL (
            SELECT * FROM idempotency_keys AS k WHERE k.key = n.key AND k.entry = ANY (ARRAY[0, n.entry]) OFFSET 0
        ) AS k
        """)

    static func kept(_ keys: [IdempotencyKey]) -> Query {
        kept(.textArray(keys.map(\.key)), .int4Array(keys.map(\.entry)))
    }

    /// Reads what ``kept(_:)`` found.
    ///
    /// - Returns: By the places of the keys, from 0 on: the answer, or ``CRMError/idempotencyKeyReused``. What is not there is
    ///   to be done.
    static func answers(
        to keys: [IdempotencyKey], in result: QueryResult
    ) throws -> [Int: Result<KeptAnswer, CRMError>] {
        var found: [Int: Result<KeptAnswer, CRMError>] = [:]
        _ = try result.map { row in
            let place = Int(try row.next(Int64.self)) - 1
            let fingerprint: String = try row.next()
            let isAnswer: Bool = try row.next()
            let (status, body): (Int32?, String?) = (try row.next(), try row.next())
            if fingerprint != keys[place].fingerprint {
                found[place] = .failure(.idempotencyKeyReused)
            } else if isAnswer, let status, let body {
                found[place] = .success(KeptAnswer(status: Int(status), body: body))
            }
        }
        return found
    }

    /// Not `ON CONFLICT DO NOTHING`, which takes twice the time: a key that somebody else took since the snapshot ends the
    /// transaction.
    private static let keep = Statement(
        """
        INSERT INTO idempotency_keys (key, entry, fingerprint, status, body)
        SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::integer[], $5::text[])
        """)

    /// Says for what request a key is that has entries; the first of them makes the row.
    private static let beginEntries = Statement(
        """
        INSERT INTO idempotency_keys (key, entry, fingerprint)
        SELECT DISTINCT key, 0, fingerprint FROM unnest($1::text[], $2::text[]) AS n (key, fingerprint)
        ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING
        """)

    static func keep(_ answers: [(key: IdempotencyKey, answer: KeptAnswer)]) -> [Query] {
        if answers.isEmpty { return [] }
        let keep = keep(
            .textArray(answers.map(\.key.key)), .int4Array(answers.map(\.key.entry)),
            .textArray(answers.map(\.key.fingerprint)), .int4Array(answers.map { Int32($0.answer.status) }),
            .textArray(answers.map(\.answer.body)))
        let entries = answers.map(\.key).filter { $0.entry > 0 }
        if entries.isEmpty { return [keep] }
        return [keep, beginEntries(.textArray(entries.map(\.key)), .textArray(entries.map(\.fingerprint)))]
    }

    /// Who waits for a key keeps the connection from others, and who stands still with a key keeps that from others.
    static let limits = Statement(
        "SELECT set_config('lock_timeout', '100ms', true), set_config('idle_in_transaction_session_timeout', '5s', true)"
    )
    /// Answers a row if the key was free. Waits for one who has it and has not committed.
    static let claim = Statement(
        """
        INSERT INTO idempotency_keys (key, entry, fingerprint) VALUES ($1::text, 0, $2::text)
        ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING RETURNING true
        """)
    static let fill = Statement(
        "UPDATE idempotency_keys SET status = $2::integer, body = $3::text WHERE key = $1::text AND entry = 0")
}

/// Looks up what is kept of a batch's requests.
struct KeyLookup {
    private let indices: [Int]
    private let keys: [IdempotencyKey]

    /// `nil` if none has a key.
    init?(_ batch: Batch) {
        guard batch.hasKeys else { return nil }
        indices = batch.requests.indices.filter { batch.requests[$0].idempotency != nil }
        keys = indices.map { batch.requests[$0].idempotency!.key }
    }

    var query: Query { IdempotencyStatements.kept(keys) }

    /// By the indices of the requests.
    func answers(in result: QueryResult) throws -> [Int: Result<KeptAnswer, CRMError>] {
        let kept = try IdempotencyStatements.answers(to: keys, in: result)
        return Dictionary(uniqueKeysWithValues: kept.map { (indices[$0], $1) })
    }
}

/// A write that changes no load, done once however often it is asked for.
public struct KeyedWrite<Value: Sendable>: Transaction {
    public let isRepeatable = false
    private let write: Fetch<Value>
    private let idempotency: Idempotency<Value>

    /// - Parameter write: Answers one row.
    public init(_ write: Fetch<Value>, _ idempotency: Idempotency<Value>) {
        self.write = write
        self.idempotency = idempotency
    }

    /// - Throws: ``PostgresError``; ``CRMError/idempotencyKeyReused``; ``CRMError/idempotencyInFlight`` if another
    ///   transaction has the key.
    public func run(on connection: inout Connection) throws -> Answered<Value> {
        let key = idempotency.key
        while true {
            if try claim(key, on: &connection) {
                let value = try connection.run([FetchStatements.lockLimit(), write.query])[1].map(write.decode)[0]
                let answer = idempotency.answer(value)
                let fill = IdempotencyStatements.fill(.text(key.key), .int4(Int32(answer.status)), .text(answer.body))
                _ = try connection.run([fill, AssignmentStatements.commit()], committing: true)
                return .kept(answer, isReplay: false)
            }
            let found = try connection.run(IdempotencyStatements.kept([key]))
            if let kept = try IdempotencyStatements.answers(to: [key], in: found)[0] {
                let answer = try kept.get()
                // That it is there does not say that it is safe.
                _ = try connection.run(
                    [BatchStatements.smallWrite, AssignmentStatements.commit()], committing: true)
                return .kept(answer, isReplay: true)
            }
            // Its time has come between the two.
            try connection.rollBack()
        }
    }

    private func claim(_ key: IdempotencyKey, on connection: inout Connection) throws -> Bool {
        do {
            let claim = IdempotencyStatements.claim(.text(key.key), .text(key.fingerprint))
            let begin = AssignmentStatements.beginReadCommitted()
            return try connection.run([begin, IdempotencyStatements.limits(), claim])[2].count > 0
        } catch PostgresError.server(let error) where error.kind == .locked {
            throw CRMError.idempotencyInFlight
        }
    }
}

/// What is kept last of a request: of one with entries the last entry.
public struct FetchLastKept: Transaction {
    public let isRepeatable = true
    private let key: IdempotencyKey

    public init(_ key: IdempotencyKey) { self.key = key }

    /// - Throws: ``PostgresError``; ``CRMError/idempotencyKeyReused``.
    public func run(on connection: inout Connection) throws -> (entry: Int32, answer: KeptAnswer)? {
        try connection.run(Self.last(.text(key.key))).first { row in
            let (entry, fingerprint): (Int32, String) = (try row.next(), try row.next())
            guard fingerprint == key.fingerprint else { throw CRMError.idempotencyKeyReused }
            return (entry, KeptAnswer(status: Int(try row.next(Int32.self)), body: try row.next()))
        }
    }

    private static let last = Statement(
        """
        SELECT entry, fingerprint, status, body FROM idempotency_keys
        WHERE key = $1::text AND (entry > 0 OR status IS NOT NULL) ORDER BY entry DESC LIMIT 1
        """)
}
