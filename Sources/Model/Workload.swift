/// Loads and waiting contacts at one moment, for monitoring.
public struct Workload: Sendable, Equatable {
    /// An active operator's load.
    public struct Load: Sendable, Equatable {
        public let operatorID: OperatorID
        public let currentLoad: Int32
        public let maxLoad: Int32

        public init(operatorID: OperatorID, currentLoad: Int32, maxLoad: Int32) {
            self.operatorID = operatorID
            self.currentLoad = currentLoad
            self.maxLoad = maxLoad
        }
    }

    /// Contacts that wait at a source.
    public struct Waiting: Sendable, Equatable {
        public let sourceID: SourceID
        public let count: Int64
        /// How long the oldest waits already, in seconds.
        public let oldestAge: Double

        public init(sourceID: SourceID, count: Int64, oldestAge: Double) {
            self.sourceID = sourceID
            self.count = count
            self.oldestAge = oldestAge
        }
    }

    /// Active contacts of all operators.
    public let load: Int64
    /// The limits of all active operators together.
    public let capacity: Int64
    /// The fullest active operators.
    public let loads: [Load]
    /// The sources at which somebody waits.
    public let waiting: [Waiting]

    public init(load: Int64, capacity: Int64, loads: [Load], waiting: [Waiting]) {
        self.load = load
        self.capacity = capacity
        self.loads = loads
        self.waiting = waiting
    }
}
