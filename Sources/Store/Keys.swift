public import Access
public import Model
public import Postgres

extension APIKey {
    static let columns = "k.id, k.name, k.scopes, k.source_ids, k.rate_limit, k.created_at, k.expires_at"

    init(_ row: inout Row) throws {
        self.init(
            id: try row.next(), name: try row.next(),
            scopes: try row.next([String].self).compactMap(Scope.init), sources: try row.next([SourceID]?.self),
            rateLimit: try row.next(), createdAt: try row.next(), expiresAt: try row.next())
    }
}

extension Fetch<APIKey> {
    /// The most keys that there may be.
    static let limit = 1000

    /// All keys, the oldest first.
    public static func all() -> Self { Self(list()) { try APIKey(&$0) } }

    /// Removes a key; answers no row if there is none.
    public static func remove(_ id: String) -> Self {
        Self(delete(.text(id)), isRepeatable: false) { try APIKey(&$0) }
    }

    private static let list = Statement(
        "SELECT \(APIKey.columns) FROM api_keys AS k ORDER BY k.created_at, k.id LIMIT \(limit)")
    private static let delete = Statement("DELETE FROM api_keys AS k WHERE k.id = $1::text RETURNING \(APIKey.columns)")
}

/// Adds a key.
public struct AddKey: Transaction {
    // The second time its id would be taken.
    public let isRepeatable = false
    private let new: NewAPIKey
    private let text: KeyText

    public init(_ new: NewAPIKey, _ text: KeyText) {
        self.new = new
        self.text = text
    }

    /// - Throws: ``PostgresError``; ``CRMError/sourceNotFound(_:)``; ``CRMError/rejected`` if there are too many keys, or this one.
    public func run(on connection: inout Connection) throws -> APIKey {
        let sources = (new.sources ?? []).map(\.rawValue)
        if let missing = try connection.run(Self.missing(.int8Array(sources))).first({ try $0.next(SourceID.self) }) {
            throw CRMError.sourceNotFound(missing)
        }
        let insert = Self.insert(
            .text(text.id), .bytes(Array(text.hash)), .text(new.name), .textArray(new.scopes.map(\.rawValue)),
            .bool(new.sources != nil), .int8Array(sources), .int4(new.rateLimit),
            .int8(new.expiresAt?.microsecondsSince2000))
        guard let key = try connection.run([FetchStatements.lockLimit(), insert])[1].first({ try APIKey(&$0) }) else {
            throw CRMError.rejected
        }
        return key
    }

    private static let missing = Statement(
        "SELECT n.id FROM unnest($1::bigint[]) AS n (id) WHERE NOT EXISTS (SELECT FROM sources AS s WHERE s.id = n.id)")
    private static let insert = Statement(
        """
        INSERT INTO api_keys AS k (id, hash, name, scopes, source_ids, rate_limit, expires_at)
        SELECT $1::text, $2::bytea, $3::text, $4::text[], CASE WHEN $5::boolean THEN $6::bigint[] END, $7::integer,
            timestamptz '2000-01-01 00:00:00+00' + $8::bigint * interval '1 microsecond'
        WHERE (SELECT count(*) FROM api_keys) < \(Fetch<APIKey>.limit)
        ON CONFLICT ON CONSTRAINT api_keys_pkey DO NOTHING
        RETURNING \(APIKey.columns)
        """)
}

/// Reads the keys, if they are not those of a revision that is known.
public struct FetchKeyRing: Transaction {
    public let isRepeatable = true
    private let known: Int64?

    public init(unless known: Int64?) { self.known = known }

    /// - Returns: The revision, and the keys if they may have changed.
    public func run(on connection: inout Connection) throws -> (revision: Int64, ring: KeyRing?) {
        // The revision first: keys that are younger are read once more.
        let revision = try connection.run(Self.revision()).first { try $0.next(Int64.self) }!
        if revision == known { return (revision, nil) }
        let entries = try connection.run(Self.keys()).map { row in
            let key = try APIKey(&row)
            return KeyRing.Entry(key, hash: try row.next(Bytes.self).bytes)
        }
        return (revision, KeyRing(entries))
    }

    private static let revision = Statement("SELECT revision FROM api_keys_revision")
    private static let keys = Statement("SELECT \(APIKey.columns), k.hash FROM api_keys AS k")
}
