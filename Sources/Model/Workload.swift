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

    /// A session of the cluster that keeps the oldest snapshot, and with it the predicate locks of all SERIALIZABLE
    /// transactions that commit meanwhile.
    public struct OldSnapshot: Sendable, Equatable {
        public let process: Int32
        public let user: String
        public let application: String
        /// How many transactions have begun since.
        public let age: Int64

        public init(process: Int32, user: String, application: String, age: Int64) {
            (self.process, self.user, self.application, self.age) = (process, user, application, age)
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
    /// Of all databases of the cluster.
    public let predicateLocks: Int64
    /// One that more than 1,000 transactions have passed by; `nil`: there is none.
    public let oldSnapshot: OldSnapshot?

    public init(
        load: Int64, capacity: Int64, loads: [Load], waiting: [Waiting], predicateLocks: Int64,
        oldSnapshot: OldSnapshot?
    ) {
        self.load = load
        self.capacity = capacity
        self.loads = loads
        self.waiting = waiting
        self.predicateLocks = predicateLocks
        self.oldSnapshot = oldSnapshot
    }
}
