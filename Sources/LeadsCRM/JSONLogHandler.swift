import ArgumentParser
import Logging
import Model
import Postgres

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The form of the log on standard error.
enum LogFormat: String, CaseIterable {
    /// A line of text for each event.
    case text
    /// A JSON object on a line for each event, ordered by key: `level`, `logger`, `message`, `time` and the metadata.
    case json

    func handler(label: String, level: Logger.Level) -> any LogHandler {
        var handler: any LogHandler =
            self == .json ? JSONLogHandler(label: label) : StreamLogHandler.standardError(label: label)
        handler.logLevel = level
        return handler
    }
}

private struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var time = timeval()
        gettimeofday(&time, nil)
        // 946,684,800 seconds from 1970 to 2000.
        let now = Timestamp(
            microsecondsSince2000: (Int64(time.tv_sec) - 946_684_800) * 1_000_000 + Int64(time.tv_usec))
        var line = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues(JSONValue.init)
        line["time"] = .string(now.description)
        line["level"] = .string(event.level.rawValue)
        line["logger"] = .string(label)
        line["message"] = .string(event.message.description)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var bytes = try? encoder.encode(line) else { return }
        bytes.append(UInt8(ascii: "\n"))
        // One call, so that the lines of several threads do not mix.
        bytes.withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

private enum JSONValue: Encodable {
    case string(String)
    case number(Double)
    case array([JSONValue])
    case object([String: JSONValue])

    init(_ value: Logger.Metadata.Value) {
        switch value {
        case .string(let text): self = .string(text)
        case .stringConvertible(let number as Double): self = .number(number)
        case .stringConvertible(let number as Int): self = .number(Double(number))
        case .stringConvertible(let other): self = .string(other.description)
        case .array(let values): self = .array(values.map(JSONValue.init))
        case .dictionary(let values): self = .object(values.mapValues(JSONValue.init))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .array(let values): try container.encode(values)
        case .object(let values): try container.encode(values)
        }
    }
}
