import Model
import Postgres
import Testing

@testable import CRM

/// What the lane does after each error.
@Suite struct BatchProgressTests {
    private func server(_ sqlState: String, constraint: String? = nil) -> PostgresError {
        .server(ServerError(sqlState: sqlState, constraint: constraint, message: ""))
    }

    /// What comes after an attempt that ended with the error.
    private func next(
        _ error: any Error, size: Int = 2, in progress: inout BatchProgress, commits: Bool = true,
        usesGate: Bool = false
    ) -> BatchProgress.Next {
        progress.beginAttempt()
        if commits { progress.beginCommit() }
        return progress.fail(with: error, size: size, usesGate: usesGate)
    }

    @Test("After a conflict the same batch is run again, after pauses that grow", arguments: ["40001", "40P01"])
    func conflict(sqlState: String) {
        var progress = BatchProgress()
        var pauses: [Duration] = []
        for _ in 1...9 {
            guard case .retry(let pause) = next(server(sqlState), in: &progress) else {
                Issue.record("not run again")
                return
            }
            pauses.append(pause)
        }
        #expect(pauses == [2, 4, 8, 16, 32, 64, 100, 100, 100].map(Duration.milliseconds))
        #expect(!progress.mayHaveCommitted && progress.obstacle == .deadline)
    }

    @Test(
        "A lead's identifier that is another one's is tried again, a batch once, one command five times",
        arguments: ["leads_external_id_key", "leads_phone_key", "leads_email_key"])
    func duplicateLead(constraint: String) {
        let error = server("23505", constraint: constraint)
        for (size, times, last) in [(2, 1, BatchProgress.Next.split), (1, 5, .refuse)] {
            var progress = BatchProgress()
            for number in 1...times {
                let pause = Duration.milliseconds(1 << number)
                #expect(next(error, size: size, in: &progress) == .retry(longestPause: pause))
            }
            #expect(next(error, size: size, in: &progress) == last)
        }
    }

    @Test("A cancelled statement and the batch's own id are tried again soon")
    func timeouts() {
        var progress = BatchProgress()
        for error in [
            server("57014"), server("23505", constraint: "assignment_batches_pkey"),
            server("23505", constraint: "idempotency_keys_pkey"),
        ] {
            #expect(next(error, in: &progress) == .retry(longestPause: .milliseconds(10)))
        }
        #expect(next(PostgresError.deadlineExceeded, in: &progress) == .retry(longestPause: .zero))
        #expect(progress.obstacle == .deadline)
    }

    @Test(
        "Behind the gate a batch that conflicts for the fourth time runs at REPEATABLE READ; then it is taken apart, if none of it may have committed"
    )
    func conflictsBehindGate() {
        var progress = BatchProgress()
        for pause in [2, 4, 8] {
            #expect(
                next(server("40001"), in: &progress, usesGate: true) == .retry(longestPause: .milliseconds(pause)))
        }
        #expect(next(server("40001"), in: &progress, usesGate: true) == .relax)
        #expect(next(server("40001"), in: &progress, usesGate: true) == .avoidLocks)
        _ = next(PostgresError.commitOutcomeUnknown(""), in: &progress, usesGate: true)
        #expect(next(server("40001"), in: &progress, usesGate: true) != .avoidLocks)
    }

    @Test("What waits for a lock is put off, but never a command that may have been carried out already")
    func locked() {
        var progress = BatchProgress()
        #expect(next(server("55P03"), in: &progress) == .avoidLocks)
        _ = next(PostgresError.commitOutcomeUnknown(""), in: &progress)
        #expect(next(server("55P03"), in: &progress) == .retry(longestPause: .milliseconds(80)))
    }

    @Test(
        "A server that lacks memory, disk, connections or locks is given time, and no batch is split for it",
        arguments: ["53100", "53200", "53300", "53400"])
    func overloaded(sqlState: String) {
        var progress = BatchProgress()
        for pause in [40, 80, 160] {
            #expect(next(server(sqlState), in: &progress) == .retry(longestPause: .milliseconds(pause)))
            progress.connect()
            #expect(progress.obstacle == .overloaded, "to connect does not make room")
        }
    }

    @Test("A batch that the database refuses is split until the culprit stands alone")
    func refusal() {
        for error in [server("23514"), server("22003"), server("42501"), PostgresError.decoding("x")] as [any Error] {
            var progress = BatchProgress()
            #expect(next(error, size: 2, in: &progress) == .split)
            progress = BatchProgress()
            #expect(next(error, size: 1, in: &progress) == .refuse)
        }
    }

    @Test("A connection that broke before COMMIT was sent leaves nothing, and the batch is run on a new one")
    func lostConnection() {
        var progress = BatchProgress()
        for error in [PostgresError.connectionLost(""), server("57P01"), server("25006"), server("08006")] {
            guard case .retry = next(error, in: &progress, commits: false) else {
                Issue.record("\(error)")
                return
            }
            #expect(progress.obstacle == .database && !progress.mayHaveCommitted)
            progress.connect()
            #expect(progress.obstacle == .deadline)
        }
    }

    @Test("An attempt whose COMMIT was not answered stays uncertain, whatever becomes of later ones")
    func uncertain() {
        var progress = BatchProgress()
        #expect(next(PostgresError.commitOutcomeUnknown(""), in: &progress) != .split)
        #expect(progress.uncertain == [1])
        // The server's answer to a later attempt says nothing about the first one.
        _ = next(server("40001"), in: &progress)
        #expect(progress.uncertain == [1] && progress.mayHaveCommitted)
        for size in [1, 2] { #expect(next(server("23514"), size: size, in: &progress) == .giveUp) }
    }

    @Test("What is no error of PostgreSQL's is not tried again")
    func other() {
        struct Defect: Error {}
        var progress = BatchProgress()
        #expect(next(Defect(), in: &progress) == .split)
    }
}
