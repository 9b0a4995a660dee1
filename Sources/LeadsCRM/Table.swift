/// Comma-separated values (RFC 4180); `nil` is written as nothing, an empty text as `""`.
func csvLine(_ values: [String?]) -> String {
    values.map { value in
        guard let value else { return "" }
        guard value.isEmpty || value.utf8.contains(where: { Array(",\"\r\n".utf8).contains($0) }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }.joined(separator: ",")
}

/// Prints columns as wide as their widest value; numbers to the right.
func printTable(_ columns: [String], _ rows: [[String?]]) {
    let widths = columns.indices.map { column in
        max(columns[column].count, rows.map { $0[column]?.count ?? 0 }.max() ?? 0)
    }
    func line(_ values: [String?]) -> String {
        zip(values, widths).map { value, width in
            let text = value ?? ""
            let padding = String(repeating: " ", count: width - text.count)
            return Double(text) == nil ? text + padding : padding + text
        }.joined(separator: "  ")
    }
    print(line(columns))
    print(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "))
    for row in rows { print(line(row)) }
    print("(\(rows.count) row\(rows.count == 1 ? "" : "s"))")
}
