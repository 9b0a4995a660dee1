/// Waits until a condition holds.
///
/// - Parameters:
///   - what: The condition in words, for the error.
///   - limit: How long to wait at most.
///   - condition: Asked again and again; what it throws ends the waiting.
/// - Throws: ``Timeout``.
public func eventually(
    _ what: String, within limit: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard .now < deadline else { throw Timeout(description: "not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// A condition that did not come about in time.
public struct Timeout: Error, CustomStringConvertible {
    public let description: String
}
