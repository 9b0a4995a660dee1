/// A span of time in buckets of one length, which begin with the minutes, hours or days of UTC.
public struct BucketSpan: Sendable, Equatable {
    public enum Bucket: String, Sendable, CaseIterable {
        case minute, hour, day

        fileprivate var microseconds: Int64 {
            switch self {
            case .minute: 60_000_000
            case .hour: 3_600_000_000
            case .day: 86_400_000_000
            }
        }
    }

    /// The most buckets that can be asked for at once.
    public static let limit: Int64 = 1500

    public let bucket: Bucket
    /// The beginning of the first bucket.
    public let from: Timestamp
    /// The end of the last one.
    public let to: Timestamp

    /// The buckets that have any time of a span.
    ///
    /// - Parameter from: `nil`: so many buckets before `to` as are usual, 60 minutes, 24 hours or 30 days.
    public init(_ bucket: Bucket, from: Timestamp?, to: Timestamp) {
        let size = bucket.microseconds
        func begin(of time: Int64) -> Int64 { (time >= 0 ? time : time - size + 1) / size * size }
        let end = begin(of: to.microsecondsSince2000 + size - 1)
        let usual: Int64 =
            switch bucket {
            case .minute: 60
            case .hour: 24
            case .day: 30
            }
        self.bucket = bucket
        self.from = Timestamp(
            microsecondsSince2000: from.map { begin(of: $0.microsecondsSince2000) } ?? end - usual * size)
        self.to = Timestamp(microsecondsSince2000: end)
    }

    /// At most 0 if it ends before it begins.
    public var count: Int64 { (to.microsecondsSince2000 - from.microsecondsSince2000) / bucket.microseconds }
}

/// What happened in a bucket of time.
public struct TimelineEntry: Sendable, Equatable {
    /// When the bucket begins.
    public let at: Timestamp
    public let registered: Int64
    /// Contacts given to an operator while they had none.
    public let assigned: Int64
    public let closed: Int64
    /// Of those assigned, how long they had waited, in seconds; `nil` if there are none.
    public let medianWait: Double?
    public let p90Wait: Double?

    public init(
        at: Timestamp, registered: Int64, assigned: Int64, closed: Int64, medianWait: Double?, p90Wait: Double?
    ) {
        self.at = at
        self.registered = registered
        self.assigned = assigned
        self.closed = closed
        self.medianWait = medianWait
        self.p90Wait = p90Wait
    }
}

/// What an operator was given of a source's contacts, and what the weights would have had it.
public struct SourceShare: Sendable, Equatable {
    public let sourceID: SourceID
    public let sourceName: String
    public let operatorID: OperatorID
    public let operatorName: String
    /// Today's; `nil`: none any more.
    public let weight: Int32?
    public let expectedPercent: Double
    public let assigned: Int64
    /// `nil` if nobody was given any, as is the deviation.
    public let actualPercent: Double?
    public let deviationPoints: Double?
    /// Whether the operator was full for part of the time.
    public let limited: Bool

    public init(
        sourceID: SourceID, sourceName: String, operatorID: OperatorID, operatorName: String, weight: Int32?,
        expectedPercent: Double, assigned: Int64, actualPercent: Double?, deviationPoints: Double?, limited: Bool
    ) {
        self.sourceID = sourceID
        self.sourceName = sourceName
        self.operatorID = operatorID
        self.operatorName = operatorName
        self.weight = weight
        self.expectedPercent = expectedPercent
        self.assigned = assigned
        self.actualPercent = actualPercent
        self.deviationPoints = deviationPoints
        self.limited = limited
    }
}
