public import Model
import Store

extension CRM {
    /// What happened in each bucket of the span, the oldest first.
    ///
    /// - Parameters:
    ///   - span: Of ``BucketSpan/limit`` buckets at most.
    ///   - source: `nil`: all together.
    public func timeline(_ span: BucketSpan, of source: SourceID?) async throws -> [TimelineEntry] {
        try await run(FetchStatistics<TimelineEntry>.timeline(span, of: source))
    }

    /// How the contacts of each source were shared.
    ///
    /// - Parameters:
    ///   - span: Of ``BucketSpan/limit`` hours at most.
    ///   - source: `nil`: all.
    public func shares(_ span: BucketSpan, of source: SourceID?) async throws -> [SourceShare] {
        try await run(FetchStatistics<SourceShare>.shares(span, of: source))
    }
}
