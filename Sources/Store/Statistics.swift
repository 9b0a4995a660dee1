public import Model
public import Postgres

/// The reads of statistics.
public struct FetchStatistics<Value: Sendable>: Transaction {
    let query: Query
    let decode: @Sendable (inout Row) throws -> Value
    public let isRepeatable = true

    public func run(on connection: inout Connection) throws -> [Value] {
        try connection.run([StatisticsStatements.settings(), query])[1].map(decode)
    }
}

extension BucketSpan {
    fileprivate var parameters: [Parameter] {
        [.int8(from.microsecondsSince2000), .int8(to.microsecondsSince2000)]
    }
}

extension FetchStatistics<TimelineEntry> {
    /// An entry for each bucket, the oldest first.
    ///
    /// - Parameter source: `nil`: all together.
    public static func timeline(_ span: BucketSpan, of source: SourceID?) -> Self {
        let statement =
            span.bucket == .minute ? StatisticsStatements.minutes : StatisticsStatements.hours(in: span.bucket)
        let query = Query(statement: statement, parameters: span.parameters + [.int8(source?.rawValue)])
        return Self(query: query) { row in
            TimelineEntry(
                at: try row.next(), registered: try row.next(), assigned: try row.next(), closed: try row.next(),
                medianWait: try row.next(), p90Wait: try row.next())
        }
    }
}

extension FetchStatistics<SourceShare> {
    /// A row for each source and operator who has a weight there, or was given a contact; ordered by both.
    ///
    /// - Parameters:
    ///   - span: In hours.
    ///   - source: `nil`: all.
    public static func shares(_ span: BucketSpan, of source: SourceID?) -> Self {
        let query = Query(
            statement: StatisticsStatements.shares, parameters: span.parameters + [.int8(source?.rawValue)])
        return Self(query: query) { row in
            SourceShare(
                sourceID: try row.next(), sourceName: try row.next(), operatorID: try row.next(),
                operatorName: try row.next(), weight: try row.next(), expectedPercent: try row.next(),
                assigned: try row.next(), actualPercent: try row.next(), deviationPoints: try row.next(),
                limited: try row.next())
        }
    }
}

enum StatisticsStatements {
    /// How many events are not rolled up yet the planner cannot know, and takes them for a third of all: it would compile, have
    /// other processes help, or read the table from its beginning.
    static let settings = Statement(
        """
        SELECT set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true),
            set_config('enable_seqscan', 'off', true)
        """)

    /// The beginning and the end of the span, from its microseconds since 2000.
    private static let from = time("$1::bigint")
    private static let to = time("$2::bigint")

    private static func time(_ microseconds: String) -> String {
        "(timestamptz '2000-01-01 00:00Z' + \(microseconds) * interval '1 microsecond')"
    }

    /// From the tallies: some dozen rows for each hour of the source, or of all together.
    static func hours(in bucket: BucketSpan.Bucket) -> Statement {
        timeline(
            of: bucket,
            """
            SELECT hour AS at, kind, n FROM contact_tallies_now
            WHERE source_id = COALESCE($3::bigint, 0) AND hour >= \(from) AND hour < \(to)
            """)
    }

    /// From the events of the span.
    static let minutes = timeline(
        of: .minute,
        """
        SELECT at, kind, 1 AS n FROM contact_steps
        WHERE event_at >= \(from) AND event_at < \(to) AND ($3::bigint IS NULL OR source_id = $3)
        """)

    /// Of two waits of one class the same is told: its middle, which is 9 % off at most.
    private static func timeline(of bucket: BucketSpan.Bucket, _ tallies: String) -> Statement {
        func quantile(_ part: String) -> String {
            let kind = "min(kind) FILTER (WHERE kind >= 0 AND so_far >= \(part) * assigned)"
            return "CASE \(kind) WHEN 0 THEN 0 ELSE round((0.001 * 2 ^ ((\(kind) - 0.5) / 4))::numeric, 3) END::float8"
        }
        return Statement(
            """
            WITH counts AS (
                SELECT date_trunc('\(bucket.rawValue)', at, 'UTC') AS at, kind, sum(n) AS n
                FROM (\(tallies)) AS t GROUP BY 1, 2),
            classes AS (
                SELECT at, kind, n, sum(n) FILTER (WHERE kind >= 0) OVER (PARTITION BY at) AS assigned,
                    sum(n) FILTER (WHERE kind >= 0) OVER (PARTITION BY at ORDER BY kind) AS so_far
                FROM counts)
            SELECT b.at, COALESCE(sum(n) FILTER (WHERE kind = -2), 0)::bigint, COALESCE(max(assigned), 0)::bigint,
                COALESCE(sum(n) FILTER (WHERE kind = -1), 0)::bigint, \(quantile("0.5")), \(quantile("0.9"))
            FROM generate_series(\(from), \(to) - interval '1 microsecond', interval '\(bucket == .day ? "24 hour" : "1 \(bucket.rawValue)")') AS b (at)
            LEFT JOIN classes AS c ON c.at = b.at GROUP BY b.at ORDER BY b.at
            """)
    }

    static let shares = Statement(
        """
        WITH given AS (
            SELECT source_id, operator_id, sum(n) AS n FROM assignment_tallies_now
            WHERE hour >= \(from) AND hour < \(to) AND ($3::bigint IS NULL OR source_id = $3) GROUP BY 1, 2),
        shares AS (
            SELECT source_id, operator_id, w.weight, COALESCE(g.n, 0)::bigint AS assigned,
                round(100.0 * COALESCE(w.weight, 0) / NULLIF(sum(w.weight) OVER of_source, 0), 2) AS expected,
                round(100.0 * COALESCE(g.n, 0) / NULLIF(sum(g.n) OVER of_source, 0), 2) AS actual
            FROM (SELECT * FROM operator_source_weights WHERE $3 IS NULL OR source_id = $3) AS w
            FULL JOIN given AS g USING (source_id, operator_id)
            WINDOW of_source AS (PARTITION BY source_id)),
        full_operators AS (
            SELECT o.id FROM (SELECT DISTINCT operator_id AS id FROM shares) AS o
            WHERE EXISTS (
                    SELECT FROM operator_full_hours AS f
                    WHERE f.operator_id = o.id AND f.hour >= \(from) AND f.hour < \(to))
                OR (SELECT f.is_full FROM operator_full_hours AS f
                    WHERE f.operator_id = o.id AND f.hour < \(from) ORDER BY f.hour DESC LIMIT 1))
        SELECT s.id, s.name, o.id, o.name, d.weight, COALESCE(d.expected, 0)::float8, d.assigned, d.actual::float8,
            (d.actual - COALESCE(d.expected, 0))::float8, f.id IS NOT NULL
        FROM shares AS d JOIN sources AS s ON s.id = d.source_id JOIN operators AS o ON o.id = d.operator_id
        LEFT JOIN full_operators AS f ON f.id = d.operator_id ORDER BY s.id, o.id
        """)
}
