import Model
import Postgres

/// What the lane knows of a batch that is under way, and what it does next when something goes wrong. Pure: the errors
/// are given to it.
///
/// | error | next |
/// |---|---|
/// | 40001, 40P01 | the same batch again, after a pause that grows to 100 ms |
/// | a lead's identifier is another one's, for the first time, or of one command up to five times | the same |
/// | the batch's own id is taken; a lock or statement timed out | the same batch again, after 10 ms at most |
/// | the deadline passed | the same batch again, at once: whose deadline has passed is no longer in it |
/// | the connection broke, or the server cannot serve now | the same batch again on a new one, after a pause that grows to 500 ms |
/// | any other | an attempt may have committed: unknown; one command: refused; more: split |
struct BatchProgress {
    /// What to do with a batch after an error.
    enum Next: Equatable {
        /// Run it again, after a random part of this pause.
        case retry(longestPause: Duration)
        /// Run its halves, each as a batch of its own.
        case split
        /// Answer its only command that it cannot be carried out.
        case refuse
        /// Answer that it was carried out or not: an earlier attempt may be durable, or become so, and the same commands
        /// under another batch's id could then count twice.
        case giveUp
    }

    /// The number of the attempt that is under way, from 1 on.
    private(set) var attempt: Int32 = 0
    /// The attempts that may have committed.
    private(set) var uncertain: Set<Int32> = []
    /// Whether PostgreSQL kept the last attempt from being carried out, rather than other work.
    private(set) var isDatabaseAway: Bool
    private var duplicates = 0

    init(isDatabaseAway: Bool = false) { self.isDatabaseAway = isDatabaseAway }

    /// Whether nobody may be told that nothing changed.
    var mayHaveCommitted: Bool { !uncertain.isEmpty }

    mutating func beginAttempt() { attempt += 1 }

    mutating func connect() { isDatabaseAway = false }

    /// From now on the attempt may become durable.
    mutating func beginCommit() { uncertain.insert(attempt) }

    /// - Parameters:
    ///   - error: What ended the attempt.
    ///   - size: The number of commands in the batch.
    mutating func fail(with error: any Error, size: Int) -> Next {
        let error = error as? PostgresError
        if case .commitOutcomeUnknown = error {} else { uncertain.remove(attempt) }
        isDatabaseAway = false
        switch error {
        case .server(let error) where error.isConflict: return .retry(longestPause: growing(from: 1, to: 100))
        case .server(let error) where error.isDuplicateLead:
            duplicates += 1
            if duplicates < (size == 1 ? 6 : 2) { return .retry(longestPause: growing(from: 1, to: 100)) }
        case .server(let error) where error.constraint == "assignment_batches_pkey" || error.isTimeout:
            return .retry(longestPause: .milliseconds(10))
        case .server(let error) where !error.asksForReconnect: break
        case .deadlineExceeded: return .retry(longestPause: .zero)
        case .connectionLost, .commitOutcomeUnknown, .server:
            isDatabaseAway = true
            return .retry(longestPause: growing(from: 20, to: 500))
        case .decoding, .queueFull, .closed, nil: break
        }
        return mayHaveCommitted ? .giveUp : size == 1 ? .refuse : .split
    }

    /// Twice as long for each attempt.
    private func growing(from first: Int, to last: Int) -> Duration {
        .milliseconds(min(first << min(attempt, 10), last))
    }
}

extension ServerError {
    /// A lead's identifier is another one's. If that one was added meanwhile, the next attempt finds it. It happens again
    /// and again only if the command and PostgreSQL do not agree on what is equal: a batch is split the second time.
    fileprivate var isDuplicateLead: Bool {
        ["leads_external_id_key", "leads_phone_key", "leads_email_key"].contains(constraint)
    }
}

extension CRMError {
    /// A fault of the connection as the service's clients see it.
    init(_ error: PostgresError) {
        switch error {
        case .queueFull: self = .unavailable(.queueFull)
        case .closed: self = .unavailable(.shuttingDown)
        case .deadlineExceeded: self = .unavailable(.deadline)
        case .commitOutcomeUnknown: self = .unavailable(.outcomeUnknown)
        case .connectionLost, .server, .decoding: self = .unavailable(.database)
        }
    }

    /// Classes 22 and 23 are about the data of the one command.
    init?(refusal error: any Error) {
        guard case .server(let error)? = error as? PostgresError, ["22", "23"].contains(error.sqlState.prefix(2))
        else { return nil }
        self = .rejected
    }
}
