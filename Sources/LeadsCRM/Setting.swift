import ArgumentParser

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A variable of the environment: how it is read, and all that help and README say of it.
///
/// Texts are Markdown on one line; on a terminal they go without backticks.
struct Setting<Value: Sendable>: AnySetting {
    let name: String
    let option: String?
    let meaning: String
    let shownDefault: String
    let range: String?
    /// What the variable must be, for the error about one that is not.
    private let form: String
    private let standard: Value
    private let parse: @Sendable (String) -> Value?

    /// - Parameters:
    ///   - option: The option of `serve` that wins over the variable.
    ///   - standard: The value without the variable.
    ///   - shownDefault: The default as it is told; `nil`: as the value is written.
    ///   - range: The least and the greatest value, for a number.
    ///   - parse: Makes the value from a text that is not empty; `nil`: the text is wrong.
    init(
        _ name: String, option: String? = nil, default standard: Value, shownDefault: String? = nil,
        range: String? = nil, mustBe form: String = "", _ meaning: String, parse: @escaping @Sendable (String) -> Value?
    ) {
        self.name = name
        self.option = option
        self.standard = standard
        self.shownDefault = shownDefault ?? "`\(standard)`"
        self.range = range
        self.form = form
        self.meaning = meaning
        self.parse = parse
    }

    /// The variable's value; the default if it is not set or empty.
    ///
    /// - Throws: `ValidationError`.
    func value() throws -> Value {
        guard let text = environment(name), !text.isEmpty else { return standard }
        return try value(of: text, for: name)
    }

    /// The value that a text stands for.
    ///
    /// - Parameter origin: The variable or the option that has the text.
    /// - Throws: `ValidationError`.
    func value(of text: String, for origin: String) throws -> Value {
        guard let value = parse(text) else { throw ValidationError("\(origin) must be \(form).") }
        return value
    }

    func check() throws { _ = try value() }
}

/// A setting whose value may be of any type.
protocol AnySetting: Sendable {
    var name: String { get }
    /// The option of `serve` that wins over the variable.
    var option: String? { get }
    var meaning: String { get }
    /// The default as it is told; empty if there is none.
    var shownDefault: String { get }
    /// The least and the greatest value, for a number.
    var range: String? { get }

    /// Reads the variable.
    ///
    /// - Throws: `ValidationError` if it has a wrong value.
    func check() throws
}

extension AnySetting {
    /// The setting in the help of `serve`, in lines that fit 80 columns.
    var help: String {
        let facts = [shownDefault.isEmpty ? nil : "default: \(shownDefault)", range].compactMap(\.self)
        let text = meaning + (facts.isEmpty ? "" : " (\(facts.joined(separator: "; ")))")
        return wrapped(text.filter { $0 != "`" }, to: 55).enumerated().map { line, text in
            let name = line == 0 ? name : ""
            return "  \(name)\(String(repeating: " ", count: 22 - name.count))\(text)"
        }.joined(separator: "\n")
    }

    /// The help of the option.
    func optionHelp(valueName: String? = nil) -> ArgumentHelp {
        let text = "\(meaning) (environment: \(name); default: \(shownDefault))."
        return ArgumentHelp(text.prefix(1).uppercased() + text.dropFirst().filter { $0 != "`" }, valueName: valueName)
    }
}

extension Setting<Int> {
    init(
        _ name: String, option: String? = nil, default standard: Int, in range: ClosedRange<Int>, _ meaning: String
    ) {
        let shownRange = "\(range.lowerBound) to \(range.upperBound)"
        self.init(
            name, option: option, default: standard, range: shownRange, mustBe: "a number from \(shownRange)", meaning
        ) { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
    }
}

extension Setting<Duration> {
    /// Seconds, also fractions of them.
    init(_ name: String, default standard: Double, in range: ClosedRange<Double>, _ meaning: String) {
        func shown(_ seconds: Double) -> String { seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)" }
        let shownRange = "\(shown(range.lowerBound)) to \(shown(range.upperBound))"
        self.init(
            name, default: .seconds(standard), shownDefault: "`\(shown(standard))`", range: shownRange,
            mustBe: "a number of seconds from \(shownRange)", meaning
        ) { text in Double(text).flatMap { range.contains($0) ? .seconds($0) : nil } }
    }
}

extension Setting<Bool> {
    /// A switch, which is on by default.
    init(_ name: String, _ meaning: String) {
        self.init(name, default: true, shownDefault: "`on`", mustBe: "on or off", meaning) { text in
            switch text.lowercased() {
            case "on", "true", "1", "yes": true
            case "off", "false", "0", "no": false
            default: nil
            }
        }
    }
}

extension Setting {
    /// A setting whose default depends on other things: its value is `nil` without the variable.
    init<Given>(
        _ name: String, option: String? = nil, shownDefault: String, mustBe form: String = "", _ meaning: String,
        parse: @escaping @Sendable (String) -> Given?
    ) where Value == Given? {
        self.init(name, option: option, default: nil, shownDefault: shownDefault, mustBe: form, meaning) { text in
            parse(text).map(Optional.some)
        }
    }
}

/// A variable of the environment; `nil` if it is not set.
func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
