import Foundation
import TestSupport
import Testing

@testable import LeadsCRM

@Suite("Settings")
struct SettingTests {
    @Test("The README's table has the settings as they are declared")
    func readme() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
        let rows = settings.all.map { setting in
            [setting.option.map { "`--\($0)`" } ?? "", "`\(setting.name)`", setting.shownDefault, setting.meaning]
                .map { $0.isEmpty ? "| " : "| \($0) " }.joined() + "|"
        }
        let table = "| option | variable | default | meaning |\n|---|---|---|---|\n\(rows.joined(separator: "\n"))\n\n"
        #expect(try String(contentsOf: file, encoding: .utf8).contains(table), "It should have:\n\(table)")
    }

    @Test("The help of serve tells each setting with its default and range, in 80 columns")
    func help() async throws {
        let output = try await Command.run(["serve", "--help"], environment: ["COLUMNS": "80"])
        for setting in settings.all { #expect(output.standardOutput.contains(setting.help), "\(setting.name)") }
        #expect(output.standardOutput.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(output)")
        let queueLimit = settings.queueLimit.help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(queueLimit.hasSuffix("Retry-After (default: 4096; 1 to 1000000)"))
    }

    @Test("A number that is none or out of its range is told with the range")
    func outOfRange() {
        func error(_ text: String, _ setting: Setting<some Sendable>) -> String? {
            do { _ = try setting.value(of: text, for: "X") } catch { return "\(error)" }
            return nil
        }
        for text in ["0", "1000001", "many", "1.5"] {
            #expect(error(text, settings.queueLimit) == "X must be a number from 1 to 1000000.", "\(text)")
        }
        for text in ["0.01", "3601", "nan", "soon"] {
            let message = "X must be a number of seconds from 0.1 to 3600."
            #expect(error(text, settings.requestTimeout) == message, "\(text)")
        }
    }

    @Test("Values at the ends of a range, fractions of seconds and words for switches are read")
    func right() throws {
        #expect(try [1, 1_000_000].map { try settings.queueLimit.value(of: "\($0)", for: "") } == [1, 1_000_000])
        #expect(try settings.requestTimeout.value(of: "0.25", for: "") == .milliseconds(250))
        #expect(try ["ON", "yes", "1"].allSatisfy { try settings.assignmentGate.value(of: $0, for: "") })
        #expect(try settings.preparedStatements.value(of: "Off", for: "") == false)
        #expect(try settings.logFormat.value(of: "JSON", for: "") == .json)
    }
}
