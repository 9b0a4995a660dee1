/// Metrics as text, in Prometheus' exposition format 0.0.4.
///
/// Source: prometheus.io, "Exposition formats", section "Text-based format".
public struct Exposition {
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    public private(set) var text = ""

    public init() {}

    /// Begins a family of series; its samples follow.
    ///
    /// - Parameter help: One sentence: what is measured, with its unit.
    public mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(Self.escaped(help))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Writes a gauge of one series without labels.
    public mutating func gauge(_ name: String, _ help: String, _ value: some Number) {
        family(name, .gauge, help)
        sample(name, value: value)
    }

    /// Writes a sample of the family begun last.
    public mutating func sample(_ name: String, _ labels: [(String, String)] = [], value: some Number) {
        sample(name, labels: Self.labels(labels), value: value)
    }

    mutating func sample(_ name: String, labels: String, value: some Number) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    static func labels(_ labels: [(String, String)]) -> String {
        labels.map { "\($0)=\"\(escaped($1, quotes: true))\"" }.joined(separator: ",")
    }

    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}

/// A type of samples' values, printed as Go's `ParseFloat` reads them.
public protocol Number: CustomStringConvertible, Sendable {}
extension Int: Number {}
extension Int32: Number {}
extension Int64: Number {}
extension Double: Number {}
