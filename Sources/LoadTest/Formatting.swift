#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A number with commas: 12,345.
func grouped(_ number: Int) -> String {
    var digits = String(number.magnitude)
    var groups: [Substring] = []
    while digits.count > 3 {
        groups.insert(digits.suffix(3), at: 0)
        digits.removeLast(3)
    }
    return (number < 0 ? "-" : "") + ([digits[...]] + groups).joined(separator: ",")
}

/// A number and what it counts: 1 contact, 1,234 contacts.
func counted(_ number: Int, _ noun: String) -> String { "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")" }

/// A number with three significant digits.
func significant(_ number: Double) -> String { formatted("%.3g", number) }

/// A number as `printf` writes it.
func formatted(_ format: String, _ number: Double) -> String {
    String(unsafeUninitializedCapacity: 64) { bytes in
        bytes.withMemoryRebound(to: CChar.self) { text in
            Int(withVaList([number]) { vsnprintf(text.baseAddress, text.count, format, $0) })
        }
    }
}

/// A time with three significant digits: 850 µs, 4.12 ms, 1.50 s.
func duration(microseconds: UInt64) -> String {
    let (value, unit) =
        switch microseconds {
        case ..<1_000: (Double(microseconds), "µs")
        case ..<1_000_000: (Double(microseconds) / 1e3, "ms")
        default: (Double(microseconds) / 1e6, "s")
        }
    let decimals = unit == "µs" || value >= 100 ? 0 : value >= 10 ? 1 : 2
    return formatted("%.\(decimals)f ", value) + unit
}

/// The text, aligned to the right by blanks before it.
func padded(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}
