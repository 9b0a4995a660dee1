import Assignment
import Metrics
import Model
import Postgres

/// What is counted and timed of the lane's transactions.
struct AssignmentMetrics: Sendable {
    /// What became of an assignment that was asked for, or of a contact that waited.
    enum Assignment: String, CaseIterable {
        /// A new contact got an operator.
        case assigned
        /// A new contact got none.
        case waiting
        /// A contact that waited got an operator.
        case admitted
        case reopened, transferred, closed
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
        batchSize = Recorder(label: "leads_crm_batch_size", dimensions: [], aggregate: true, factory: factory)
        transactionDuration = Timer(
            label: "leads_crm_transaction_duration_seconds", dimensions: [], factory: factory)
        commitDuration = Timer(label: "leads_crm_commit_duration_seconds", dimensions: [], factory: factory)
        assignments = Dictionary(
            uniqueKeysWithValues: Assignment.allCases.map {
                let dimensions = [("outcome", $0.rawValue)]
                return ($0, Counter(label: "leads_crm_assignments_total", dimensions: dimensions, factory: factory))
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
        switch (command, result) {
        case (_, .failure(CRMError.unavailable)): count(.unavailable)
        case (.register, .success(.contact(let details))): count(details.operator == nil ? .waiting : .assigned)
        case (.updateContact(_, let patch), .success):
            if patch.operatorID != nil { count(.transferred) }
            if let status = patch.status { count(status == .active ? .reopened : .closed) }
        case (.register, _), (.updateContact, .failure): count(.refused)
        case (.updateOperator, _), (.setDistribution, _), (.admitWaiting, _): break
        }
    }

    /// Counts a transaction that is run again.
    func countRetry(after error: PostgresError) {
        Counter(
            label: "leads_crm_transaction_retries_total", dimensions: [("sqlstate", error.sqlState)], factory: factory
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
