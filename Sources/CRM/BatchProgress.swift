import Model
import Postgres

/// What the lane knows of a batch that is under way, and what it does next when something goes wrong. Pure: the errors
/// are given to it.
///
/// | error | next |
/// |---|---|
/// | 40001, 40P01 | the same batch again, after a pause that grows to 100 ms; behind the gate, where only hand-written changes conflict, the fourth time at REPEATABLE READ, and from then on as for a lock |
/// | a lead's identifier is another one's, for the first time, or of one command up to five times | the same |
/// | the batch's own id is taken, or a request's key; a statement was cancelled | the same batch again, after 10 ms at most |
/// | a lock was not to be had in moments | the commands that need it later, the others at once |
/// | the deadline passed | the same batch again, at once: whose deadline has passed is no longer in it |
/// | the connection broke, or the server cannot serve now | the same batch again on a new one, after a pause that grows to 500 ms |
/// | the server is overloaded | the same batch again, after a pause that grows to 500 ms |
/// | any other | an attempt may have committed: unknown; one command: refused; more: split |
struct BatchProgress {
    /// What to do with a batch after an error.
    enum Next: Equatable {
        /// Run it again, after a random part of this pause.
        case retry(longestPause: Duration)
        /// Run it again, at REPEATABLE READ.
        case relax
        /// Put off the commands that would wait for a lock, and run the others.
        case avoidLocks
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
    /// What kept the last attempt from being carried out.
    private(set) var obstacle: CRMError.Unavailable
    private var conflicts = 0
    private var duplicates = 0

    init(obstacle: CRMError.Unavailable = .deadline) { self.obstacle = obstacle }

    /// Whether nobody may be told that nothing changed.
    var mayHaveCommitted: Bool { !uncertain.isEmpty }

    mutating func beginAttempt() { attempt += 1 }

    mutating func connect() { if obstacle == .database { obstacle = .deadline } }

    /// From now on the attempt may become durable.
    mutating func beginCommit() { uncertain.insert(attempt) }

    /// - Parameters:
    ///   - error: What ended the attempt.
    ///   - size: The number of commands in the batch.
    ///   - usesGate: Whether other instances' batches wait meanwhile.
    mutating func fail(with error: any Error, size: Int, usesGate: Bool) -> Next {
        let error = error as? PostgresError
        if case .commitOutcomeUnknown = error {} else { uncertain.remove(attempt) }
        obstacle = .deadline
        switch error {
        case .server(let error) where error.isDuplicateLead:
            duplicates += 1
            if duplicates < (size == 1 ? 6 : 2) { return .retry(longestPause: growing(from: 1, to: 100)) }
        case .server(let error)
        where ["assignment_batches_pkey", "idempotency_keys_pkey"].contains(error.constraint):
            return .retry(longestPause: .milliseconds(10))
        case .server(let error):
            switch error.kind {
            case .conflict:
                conflicts += 1
                if usesGate, conflicts == 4 { return .relax }
                if usesGate, conflicts > 4, !mayHaveCommitted { return .avoidLocks }
                return .retry(longestPause: growing(from: 1, to: 100))
            case .cancelled: return .retry(longestPause: .milliseconds(10))
            case .locked: return mayHaveCommitted ? .retry(longestPause: growing(from: 10, to: 500)) : .avoidLocks
            case .serverAway: return putOff(by: .database)
            case .overloaded: return putOff(by: .overloaded)
            case .data, .other: break
            }
        case .deadlineExceeded: return .retry(longestPause: .zero)
        case .connectionLost, .commitOutcomeUnknown: return putOff(by: .database)
        case .decoding, .queueFull, .closed, nil: break
        }
        return mayHaveCommitted ? .giveUp : size == 1 ? .refuse : .split
    }

    private mutating func putOff(by obstacle: CRMError.Unavailable) -> Next {
        self.obstacle = obstacle
        return .retry(longestPause: growing(from: 20, to: 500))
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
    /// An error of PostgreSQL's as the service's clients see it; `nil` for one that is about the request itself, or a
    /// defect. Nothing was changed, but for `outcomeUnknown`.
    init?(_ error: PostgresError) {
        switch error {
        case .queueFull: self = .unavailable(.queueFull)
        case .closed: self = .unavailable(.shuttingDown)
        case .deadlineExceeded: self = .unavailable(.deadline)
        case .commitOutcomeUnknown: self = .unavailable(.outcomeUnknown)
        case .connectionLost: self = .unavailable(.database)
        case .server(let error):
            switch error.kind {
            case .conflict, .locked, .cancelled: self = .unavailable(.deadline)
            case .serverAway: self = .unavailable(.database)
            case .overloaded: self = .unavailable(.overloaded)
            case .data, .other: return nil
            }
        case .decoding: return nil
        }
    }
}
