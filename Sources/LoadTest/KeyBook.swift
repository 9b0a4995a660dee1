import NIOCore

/// The registrations with a key that are not done with, and what became of the others. Pure.
///
/// One whose outcome is unknown is repeated until it is known. A repetition must get the first answer again, byte for byte
/// and marked as replayed.
struct KeyBook: Sendable {
    private struct Entry: Sendable {
        let contacts: Int
        /// How often it was sent.
        var sent = 0
        /// How many of its requests are sent, or to be sent, and not answered.
        var open = 1
        /// The first answer.
        var answer: ByteBuffer?
        /// How many answers were not marked as replayed.
        var unmarked = 0
    }

    private var entries: [Int64: Entry] = [:]
    /// What is to be sent again, the one that waits longest first.
    private var due = CircularBuffer<Registration>()
    private(set) var counts = KeyCounts()

    /// Takes what is to be sent again.
    mutating func next() -> Registration? { due.popFirst() }

    /// Whether something is to be sent again.
    var isDue: Bool { !due.isEmpty }

    /// Notes that a request is sent.
    ///
    /// - Returns: Whether its answer must be a replay, as one was answered before.
    mutating func send(_ registration: Registration) -> Bool {
        var entry = entries[registration.number] ?? Entry(contacts: registration.contacts.count)
        defer { entries[registration.number] = entry }
        entry.sent += 1
        if entry.sent == 1, registration.repetition == .atOnce { repeatOnce(registration, &entry) }
        return entry.answer != nil
    }

    /// Notes an answer that says what became of the request.
    ///
    /// - Parameters:
    ///   - body: `nil` for a refusal, which leaves the key free.
    ///   - isReplay: Whether it is marked as replayed.
    ///   - mustReplay: What ``send(_:)`` returned for the request.
    /// - Returns: Whether it is the first one.
    mutating func answer(_ registration: Registration, _ body: ByteBuffer?, isReplay: Bool, mustReplay: Bool) -> Bool {
        var entry = entries[registration.number]!
        defer { entries[registration.number] = entry.open == 0 ? nil : entry }
        entry.open -= 1
        let isFirst = entry.answer == nil
        if !isFirst {
            counts.repetitions += 1
            if body != entry.answer { counts.differing += 1 }
        }
        guard let body else { return isFirst }
        if !isReplay { entry.unmarked += 1 }
        // Each of two batches at once may be the first with some of the contacts, so that none of them is a replay.
        let isSecondUnmarked = !isReplay && entry.unmarked > 1 && !registration.isBatch
        if isReplay ? entry.sent == 1 : mustReplay || isSecondUnmarked { counts.mismarked += 1 }
        if isFirst {
            counts.settled += 1
            entry.answer = body
            if registration.repetition == .afterwards { repeatOnce(registration, &entry) }
        }
        return isFirst
    }

    /// Notes that the outcome of a request is unknown.
    mutating func lose(_ registration: Registration) {
        counts.lost += 1
        due.append(registration)
    }

    /// Counts the keys as unsettled that have no answer.
    ///
    /// - Returns: How many contacts of theirs may be registered or not.
    mutating func close() -> Int {
        let unsettled = entries.values.filter { $0.answer == nil }
        counts.unsettled = unsettled.count
        return unsettled.reduce(0) { $0 + $1.contacts }
    }

    private mutating func repeatOnce(_ registration: Registration, _ entry: inout Entry) {
        entry.open += 1
        due.append(registration)
    }
}

/// What became of registrations with a key.
struct KeyCounts: Sendable, Equatable {
    /// Keys whose contacts are known to be registered.
    var settled = 0
    /// Further answers that they got.
    var repetitions = 0
    /// Those of them that were others than the first.
    var differing = 0
    /// Answers that were marked as replayed and could not be, or were not and had to be.
    var mismarked = 0
    /// Requests whose outcome was unknown: each was repeated.
    var lost = 0
    /// Keys of which it never became known what became of them.
    var unsettled = 0

    mutating func add(_ other: KeyCounts) {
        settled += other.settled
        repetitions += other.repetitions
        differing += other.differing
        mismarked += other.mismarked
        lost += other.lost
        unsettled += other.unsettled
    }
}
