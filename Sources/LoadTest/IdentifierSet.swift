/// A set of ids that takes a bit for each: a sequence gives them out close together.
struct IdentifierSet: Sendable {
    private static let bitsOfChunk: Int64 = 4096

    /// Chunks of 64 words, by the id divided by the size of a chunk.
    private var chunks: [Int64: [UInt64]] = [:]
    private(set) var count = 0

    /// Adds an id.
    ///
    /// - Returns: Whether it was not in the set.
    @discardableResult
    mutating func insert(_ id: Int64) -> Bool {
        let (chunk, word, bit) = Self.place(of: id)
        guard chunks[chunk, default: Self.emptyChunk][word] & bit == 0 else { return false }
        chunks[chunk, default: Self.emptyChunk][word] |= bit
        count += 1
        return true
    }

    /// Removes an id.
    ///
    /// - Returns: Whether it was in the set.
    @discardableResult
    mutating func remove(_ id: Int64) -> Bool {
        let (chunk, word, bit) = Self.place(of: id)
        guard (chunks[chunk]?[word] ?? 0) & bit != 0 else { return false }
        chunks[chunk]![word] &= ~bit
        count -= 1
        return true
    }

    /// Adds all of another set.
    ///
    /// - Returns: How many were in both.
    mutating func formUnion(_ other: IdentifierSet) -> Int {
        let before = count + other.count
        for (number, words) in other.chunks {
            let own = chunks[number] ?? Self.emptyChunk
            let union = zip(own, words).map { $0 | $1 }
            chunks[number] = union
            count += zip(own, union).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
        }
        return before - count
    }

    /// The lowest ids.
    func lowest(_ limit: Int) -> [Int64] {
        var ids: [Int64] = []
        for (number, words) in chunks.sorted(by: { $0.key < $1.key }) {
            for offset in 0..<Self.bitsOfChunk where words[Int(offset >> 6)] >> UInt64(offset & 63) & 1 == 1 {
                guard ids.count < limit else { return ids }
                ids.append(number * Self.bitsOfChunk + offset)
            }
        }
        return ids
    }

    private static let emptyChunk = [UInt64](repeating: 0, count: Int(bitsOfChunk) / 64)

    private static func place(of id: Int64) -> (chunk: Int64, word: Int, bit: UInt64) {
        let offset = id & (bitsOfChunk - 1)
        return (id >> 12, Int(offset >> 6), 1 << UInt64(offset & 63))
    }
}
