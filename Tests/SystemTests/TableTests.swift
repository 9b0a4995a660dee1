import Foundation
import TestSupport
import Testing

@testable import LeadsCRM

@Suite("Tables")
struct TableTests {
    private let operators = Table(
        ["id", "operator_name", "free_places"],
        [["1", "Анна Соколова", "6"], ["12", "Emily Carter", "-4.5"], ["3", nil, nil]])

    @Test("Columns are as wide as their widest value, numbers stand to the right")
    func natural() {
        #expect(
            operators.lines() == [
                "id  operator_name  free_places",
                "--  -------------  -----------",
                " 1  Анна Соколова            6",
                "12  Emily Carter          -4.5",
                " 3",
            ])
    }

    @Test("On a narrow terminal the widest columns are narrowed, and texts wrapped after blanks and underscores")
    func narrowed() {
        #expect(
            operators.lines(width: 21)
                == [
                    "id  operator_   free_",
                    "    name       places",
                    "--  ---------  ------",
                    " 1  Анна            6",
                    "    Соколова",
                    "12  Emily        -4.5",
                    "    Carter",
                    " 3",
                ])
    }

    @Test("Where not even that fits each value has a line")
    func records() {
        #expect(
            Array(operators.lines(width: 18).prefix(4)) == [
                "id             1", "operator_name  Анна", "               Соколова", "free_places    6",
            ])
    }

    @Test("Nothing is wider than the terminal, and nothing is lost, at any width", arguments: 28...120)
    func anyWidth(width: Int) {
        let text = "Длинное имя источника без сокращений, sales@example.com, 漢字かな交じり文 и Supercalifragilistic"
        let lines = Table(["source_name", "contacts_count", "at"], [[text, "7", "2026-11-24 20:05:00"]])
            .lines(width: width)
        #expect(lines.allSatisfy { displayWidth($0) <= width }, "\(lines)")
        let letters = { (text: String) in text.filter { !$0.isWhitespace }.sorted() }
        let shown = letters(lines.joined().filter { $0 != "-" })
        let values = text + "7 2026-11-24 20:05:00" + "source_name contacts_count at"
        #expect(shown == letters(values.filter { $0 != "-" }))
    }

    @Test(
        "A character takes the columns that terminals give it",
        arguments: [
            ("a", 1), ("Ж", 1), ("é", 1), ("e\u{301}", 1), ("漢", 2), ("한", 2), ("ｱ", 1), ("Ａ", 2), ("🙂", 2), ("👩‍👩‍👧", 2),
            ("🇷🇺", 2), ("✓", 1), ("❤️", 2), ("\u{301}", 0), ("\u{200B}", 0), ("…", 1),
        ] as [(Character, Int)])
    func width(character: Character, columns: Int) {
        #expect(displayWidth(character) == columns)
    }

    @Test("What would move the cursor is written out")
    func controlCharacters() {
        #expect(Table(["name"], [["a\u{1B}[2Jb\n"]]).lines()[2] == #"a\u{1B}[2Jb\n"#)
    }
}

extension System {
    @Suite("report")
    struct Reports {
        /// Runs the command on a terminal of 40 columns and 12 lines.
        private func runOnTerminal(_ arguments: [String], pager: String) async throws -> String {
            let directory = try ScratchDirectory.makeSubdirectory("terminal")
            let command = try ([Command.path.get()] + arguments).map { "'\($0)'" }.joined(separator: " ")
            let script = try ChildProcess(
                ["script", "-qec", "stty cols 40 rows 12; \(command)", "/dev/null"],
                environment: ["PATH": "/usr/bin:/bin", "TERM": "xterm", "PAGER": pager], in: directory,
                streams: .files(in: directory))
            #expect(try await script.end() == 0)
            return try String(contentsOfFile: directory + "/stdout", encoding: .utf8).replacing("\r\n", with: "\n")
        }

        @Test("Without a name it lists the reports, without a database")
        func list() async throws {
            let output = try await Command.run(["report"])
            #expect(output.status == 0)
            #expect(output.standardOutput.contains("\nwaiting            Sources at which"), "\(output)")
            #expect(
                output.standardOutput.split(separator: "\n").contains { $0.count > 120 }, "nothing is cut in a file")
        }

        @Test("A terminal's width is kept; what is longer than its screen goes through PAGER, unless --no-pager")
        func terminal() async throws {
            let paged = try await runOnTerminal(["report"], pager: "sed 's/^/: /'").split(separator: "\n")
            #expect(paged.count > 12 && paged.allSatisfy { $0.hasPrefix(": ") && $0.count <= 42 }, "\(paged)")
            let whole = try await runOnTerminal(["report", "--no-pager"], pager: "false").split(separator: "\n")
            #expect(whole.map { ": " + $0 } == paged.map(String.init))
        }

        @Test("With a pager that cannot be run all is printed plainly", arguments: ["nosuchpager", "/dev/null"])
        func noPager(pager: String) async throws {
            let lines = try await runOnTerminal(["report"], pager: pager).split(separator: "\n")
            let whole = try await runOnTerminal(["report", "--no-pager"], pager: "").split(separator: "\n")
            #expect(Array(lines.suffix(whole.count)) == whole, "\(lines)")
        }

        @Test("A table has times to the second, --csv and --json all of them; --limit says that it leaves out rows")
        func limit() async throws {
            try await Deployment.open { crm in
                let source = try await crm.newSource([crm.newOperator()])
                try await crm.register(3, at: source)
                func report(_ arguments: String...) async throws -> String {
                    let output = try await Command.run(
                        ["report", "contacts", "--database-url", crm.database.url] + arguments)
                    #expect(output.status == 0, "\(output)")
                    return output.standardOutput
                }
                let table = try await report("--limit", "1")
                #expect(table.contains(/\d\d:\d\d:\d\d$/.anchorsMatchLineEndings()), "\(table)")
                #expect(table.hasSuffix("\n(1 row; --limit leaves out the rest)\n"), "\(table)")
                #expect(try await report("--limit", "3").hasSuffix("\n(3 rows)\n"))
                #expect(try await report("--csv", "--limit", "2").contains(/:\d\d\.\d+\+/))
                #expect(try await JSON(Data(report("--json", "--limit", "2").utf8)).elements.count == 2)
            }
        }
    }
}
