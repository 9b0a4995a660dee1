import HTTPAPI
import NIOCore

/// The body of a request while it comes.
struct RequestBody {
    /// Why it is not read to its end.
    enum Refusal: Error {
        case tooLarge, tooManyParts

        var code: ErrorCode {
            switch self {
            case .tooLarge: .bodyTooLarge
            case .tooManyParts: .malformedBody
            }
        }
    }

    /// Parts of a body that one comes in at most: a chunk of one byte costs as much work as one of a kilobyte.
    private static let partLimit = 16_384

    private let memory: BodyMemory
    private let channel: any Channel
    private(set) var bytes = ByteBuffer()
    private var length: Int?
    private var size = 0
    private var parts = 0
    /// Counted in the memory of all bodies.
    private var counted = 0
    private var start = NIODeadline.distantPast
    /// Whether others' bodies have taken the memory that there is for all.
    var isWaiting = false

    init(memory: BodyMemory, channel: any Channel) {
        self.memory = memory
        self.channel = channel
    }

    /// - Parameter length: What `Content-Length` says, in bytes.
    mutating func begin(length: Int?) {
        self.length = length
        start = .now()
    }

    /// - Parameter keeping: Whether it is not just thrown away.
    mutating func add(_ part: ByteBuffer, keeping: Bool, upTo limit: Int) throws(Refusal) {
        size += part.readableBytes
        parts += 1
        guard size <= limit else { throw .tooLarge }
        guard parts <= Self.partLimit else { throw .tooManyParts }
        guard keeping else { return }
        // A part shares the memory of all that was read with it, so it is not kept, unless it is the whole.
        if size == length, parts == 1 { bytes = part } else { bytes.writeImmutableBuffer(part) }
        guard size > BodyMemory.allowance else { return }
        isWaiting = !memory.add(size - counted, for: channel, isWaiting: isWaiting)
        counted = size
    }

    mutating func discard() {
        memory.remove(counted, for: channel, isWaiting: isWaiting)
        self = Self(memory: memory, channel: channel)
    }

    /// When to look next whether it comes fast enough.
    func deadline(_ limits: ServerLimits, after now: NIODeadline? = nil) -> NIODeadline {
        min(start + limits.body, now.map { $0 + .seconds(1) } ?? start + limits.slowBody)
    }

    func isLate(_ now: NIODeadline, _ limits: ServerLimits) -> Bool {
        let time = now - start
        // Who waits for others' bodies may not be blamed for the rate.
        return time >= limits.body || !isWaiting && Int64(size) * 1_000_000_000 < time.nanoseconds * limits.bodyRate
    }
}
