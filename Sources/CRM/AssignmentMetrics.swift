import Assignment
import Metrics
import Model
import Postgres
public import Prometheus

/// What is counted and timed of the lane's transactions.
public struct AssignmentMetrics: Sendable {
    /// What the registry must know.
    public static let families = Metric.allCases.map(\.family)

    private enum Metric: String, CaseIterable {
        case assignments = "leads_crm_assignments_total"
        case batchSize = "leads_crm_batch_size"
        case transactionDuration = "leads_crm_transaction_duration_seconds"
        case commitDuration = "leads_crm_commit_duration_seconds"
        case retries = "leads_crm_transaction_retries_total"
        case standstills = "leads_crm_standstills_ended_total"
        case isolationFallbacks = "leads_crm_isolation_fallbacks_total"

        private static let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

        var family: PrometheusRegistry.Family {
            switch self {
            case .assignments:
                .init(
                    rawValue,
                    "Contacts assigned, waiting, admitted (waited, then assigned), reopened, transferred, closed, requeued, released; commands refused, or unavailable."
                )
            case .batchSize:
                .init(
                    rawValue, "Commands that shared one transaction.",
                    bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
            case .transactionDuration:
                .init(
                    rawValue, "Assignment transactions, from the wait at the gate to COMMIT.", bounds: Self.seconds)
            case .commitDuration:
                .init(rawValue, "The part of assignment transactions that writes and commits.", bounds: Self.seconds)
            case .retries:
                .init(
                    rawValue, "Assignment transactions that were run again, by SQLSTATE: 40001 and 40P01 are conflicts."
                )
            case .standstills:
                .init(
                    rawValue,
                    "Sessions of instances that this one ended, because they stood still in their transaction.")
            case .isolationFallbacks:
                .init(
                    rawValue,
                    "Times that transactions went on at REPEATABLE READ for 5 s, because PostgreSQL found them not serializable."
                )
            }
        }
    }

    /// What became of an assignment that was asked for, or of a contact that waited.
    enum Assignment: String, CaseIterable {
        /// A new contact got an operator.
        case assigned
        /// A new contact got none.
        case waiting
        /// A contact that waited got an operator.
        case admitted
        case reopened, transferred, closed, requeued, released
        /// It could not be done as it was asked for.
        case refused
        /// It was not done in time, or its outcome is unknown.
        case unavailable
    }

    /// Commands that shared a transaction.
    private let batchSize: Recorder
    /// From connecting and waiting at the gate to COMMIT's answer.
    private let transactionDuration: Timer
    /// The second flight: the writes and COMMIT.
    private let commitDuration: Timer
    private let assignments: [Assignment: Counter]
    private let factory: any MetricsFactory

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        batchSize = Recorder(label: Metric.batchSize.rawValue, dimensions: [], aggregate: true, factory: factory)
        transactionDuration = Timer(
            label: Metric.transactionDuration.rawValue, dimensions: [], factory: factory)
        commitDuration = Timer(label: Metric.commitDuration.rawValue, dimensions: [], factory: factory)
        assignments = Dictionary(
            uniqueKeysWithValues: Assignment.allCases.map {
                let dimensions = [("outcome", $0.rawValue)]
                return ($0, Counter(label: Metric.assignments.rawValue, dimensions: dimensions, factory: factory))
            })
    }

    func count(_ assignment: Assignment, _ number: Int = 1) { assignments[assignment]!.increment(by: number) }

    /// Records a transaction that has committed just now.
    func record(
        batchSize size: Int, admitted: Int, start: ContinuousClock.Instant, secondFlight: ContinuousClock.Instant
    ) {
        let end = ContinuousClock.now
        batchSize.record(size)
        transactionDuration.record(duration: end - start)
        commitDuration.record(duration: end - secondFlight)
        if admitted > 0 { count(.admitted, admitted) }
    }

    func count(_ result: Result<AssignmentOutcome, any Error>, of command: AssignmentCommand) {
        var result = result
        if case .success(.kept(_, let outcome)) = result {
            guard let outcome else { return }
            result = .success(outcome)
        }
        switch (command, result) {
        case (_, .failure(CRMError.unavailable)): count(.unavailable)
        case (.register, .success(.contact(let details))): count(details.operator == nil ? .waiting : .assigned)
        case (.updateContact(_, let patch), .success):
            if patch.operatorID != nil { count(.transferred) }
            if let status = patch.status { count(status == .active ? .reopened : .closed) }
        case (.requeue, .success): count(.requeued)
        case (.release, .success(.released(let release))): count(.released, release.released)
        case (.register, _), (.updateContact, .failure), (.requeue, .failure): count(.refused)
        case (.release, _), (.updateOperator, _), (.setDistribution, _), (.admitWaiting, _): break
        }
    }

    func countStandstills(_ number: Int) {
        Counter(label: Metric.standstills.rawValue, dimensions: [], factory: factory).increment(by: number)
    }

    func countIsolationFallback() {
        Counter(label: Metric.isolationFallbacks.rawValue, dimensions: [], factory: factory).increment()
    }

    /// Counts a transaction that is run again.
    func countRetry(after error: PostgresError) {
        Counter(
            label: Metric.retries.rawValue, dimensions: [("sqlstate", error.sqlState)], factory: factory
        ).increment()
    }
}

extension PostgresError {
    /// PostgreSQL's code, or the standard's for what libpq reports without one.
    fileprivate var sqlState: String {
        switch self {
        case .server(let error): error.sqlState
        case .connectionLost, .closed, .queueFull: "08006"
        case .commitOutcomeUnknown: "08007"
        case .deadlineExceeded: "57014"
        case .decoding: "XX000"
        }
    }
}
