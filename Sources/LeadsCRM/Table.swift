/// A line of comma-separated values (RFC 4180); `nil` is written as nothing, an empty text as `""`.
func csvLine(_ values: [String?]) -> String {
    values.map { value in
        guard let value else { return "" }
        guard value.isEmpty || value.utf8.contains(where: { Array(",\"\r\n".utf8).contains($0) }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }.joined(separator: ",")
}

/// A number and what it counts: `1 row`, `2 rows`.
func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

/// A table for people to read.
struct Table {
    private let columns: [String]
    private let rows: [[String]]
    /// Whether a column has nothing but numbers, which are aligned to the right.
    private let isNumeric: [Bool]

    /// The least width that a column of texts is narrowed to.
    private static let leastWidth = 12

    init(_ columns: [String], _ rows: [[String?]]) {
        self.columns = columns
        self.rows = rows.map { $0.map { printable($0 ?? "") } }
        isNumeric = columns.indices.map { column in
            rows.contains { $0[column] != nil } && rows.allSatisfy { $0[column].map { Double($0) != nil } ?? true }
        }
    }

    /// The lines to print: as wide as the stream's terminal, or as the values where there is none.
    func lines(on output: OutputStream) -> [String] { lines(width: output.isInteractive ? output.width : nil) }

    /// The lines to print.
    ///
    /// - Parameter width: The width of the terminal: columns are narrowed and their texts wrapped to fit, and where that
    ///   is not enough each value gets a line. `nil`: columns are as wide as their values.
    func lines(width: Int? = nil) -> [String] {
        let natural = columns.indices.map { column in
            ([columns[column]] + rows.map { $0[column] }).map(displayWidth).max()!
        }
        guard let width else { return grid(natural) }
        return narrowed(natural, to: width).map(grid) ?? records(in: width)
    }

    /// The widths of the columns, of which the widest are narrowed until all fit; `nil` if they cannot.
    private func narrowed(_ natural: [Int], to width: Int) -> [Int]? {
        let least = columns.indices.map { column in
            let words = ([columns[column]] + rows.map { $0[column] }).flatMap(words(of:))
            let longest = words.map { displayWidth($0.withoutTrailingBlanks) }.max() ?? 0
            return isNumeric[column] ? longest : min(longest, Self.leastWidth)
        }
        var widths = natural
        while widths.reduce(0, +) + 2 * (widths.count - 1) > width {
            let narrowable = widths.indices.filter { widths[$0] > least[$0] }
            guard let widest = narrowable.max(by: { widths[$0] < widths[$1] }) else { return nil }
            widths[widest] -= 1
        }
        return widths
    }

    private func grid(_ widths: [Int]) -> [String] {
        func lines(_ values: [String]) -> [String] {
            let cells = zip(values, widths).map { wrapped($0, to: $1) }
            return (0..<cells.map(\.count).max()!).map { line in
                cells.indices.map { column in
                    let text = line < cells[column].count ? cells[column][line] : ""
                    let padding = String(repeating: " ", count: widths[column] - displayWidth(text))
                    return isNumeric[column] ? padding + text : text + padding
                }.joined(separator: "  ").withoutTrailingBlanks
            }
        }
        let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
        return lines(columns) + [rule] + rows.flatMap(lines)
    }

    /// One line for each value, with the column's name before it, and a blank line after each row.
    private func records(in width: Int) -> [String] {
        let names = columns.map(displayWidth).max()! + 2
        return rows.flatMap { row in
            zip(columns, row).flatMap { column, value in
                wrapped(value, to: max(Self.leastWidth, width - names)).enumerated().map { index, text in
                    let name = index == 0 ? column : ""
                    return (name + String(repeating: " ", count: names - name.count) + text).withoutTrailingBlanks
                }
            } + [""]
        }
    }
}

/// The text in lines of a width, broken after blanks and underscores; a word that is wider is broken anywhere.
func wrapped(_ text: String, to width: Int) -> [String] {
    var lines = [""]
    var used = 0
    for word in words(of: text) {
        if used > 0, used + displayWidth(word.withoutTrailingBlanks) > width {
            lines.append("")
            used = 0
        }
        for character in word {
            if used > 0, used + displayWidth(character) > width, character != " " {
                lines.append("")
                used = 0
            }
            lines[lines.count - 1].append(character)
            used += displayWidth(character)
        }
    }
    return lines.map(\.withoutTrailingBlanks)
}

/// The text cut after each blank and underscore.
private func words(of text: String) -> [String] {
    var words = [""]
    for character in text {
        words[words.count - 1].append(character)
        if character == " " || character == "_" { words.append("") }
    }
    return words
}

extension String {
    fileprivate var withoutTrailingBlanks: String {
        String(self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)])
    }
}

/// The text with its control characters escaped: clients may have written some that move a terminal's cursor.
func printable(_ text: String) -> String {
    text.unicodeScalars.map {
        $0.properties.generalCategory == .control ? $0.escaped(asASCII: false) : String($0)
    }.joined()
}
