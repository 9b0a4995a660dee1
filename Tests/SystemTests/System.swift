import Foundation
import Synchronization
import TestSupport
import Testing

/// All tests against running instances, one after another: each of them uses the whole machine, and some of them
/// look at the clock.
@Suite(.serialized, .instanceLogs, .endsInstances, .timeLimit(.minutes(5)))
enum System {}

extension Trait where Self == IssueHandlingTrait {
    /// Puts what a test's instances wrote to standard error beside what went wrong.
    static var instanceLogs: Self {
        .compactMapIssues { issue in
            var issue = issue
            // The trait is applied once for each suite around the test.
            issue.comments += TestInstances.logs.filter { !issue.comments.contains($0) }
            return issue
        }
    }
}

extension Trait where Self == EndsInstances {
    /// Kills the instances that a test left running.
    static var endsInstances: Self { EndsInstances() }
}

struct EndsInstances: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        defer { TestInstances.current.forEach { $0.command.process.signal(SIGKILL) } }
        try await function()
    }
}

/// The instances that tests started.
enum TestInstances {
    private static let instances = Mutex<[Test.ID: [Instance]]>([:])

    /// Remembers an instance of the current test.
    static func add(_ instance: Instance) {
        guard let test = Test.current?.id else { return }
        instances.withLock { $0[test, default: []].append(instance) }
    }

    /// The instances of the current test.
    static var current: [Instance] {
        instances.withLock { all in Test.current.flatMap { all[$0.id] } ?? [] }
    }

    /// The last lines of each instance of the current test that wrote any.
    static var logs: [Comment] {
        current.compactMap { instance in
            let lines = instance.command.standardError.split(separator: "\n").suffix(30)
            return lines.isEmpty ? nil : "\(instance.client.baseURL):\n\(lines.joined(separator: "\n"))"
        }
    }
}
