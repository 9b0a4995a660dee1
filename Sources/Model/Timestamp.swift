#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A moment with a resolution of a microsecond: PostgreSQL's `timestamptz`.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Microseconds since 2000-01-01T00:00:00Z, PostgreSQL's binary form.
    public var microsecondsSince2000: Int64

    public init(microsecondsSince2000: Int64) { self.microsecondsSince2000 = microsecondsSince2000 }

    /// Reads RFC 3339, for example `2026-11-23T10:11:12.5+03:00`; what is finer than a microsecond is cut off.
    ///
    /// `nil` for any other text, and for a day or a time that there is not, leap seconds among them.
    public init?(rfc3339 text: String) {
        let form =
            /([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))/
        guard text.utf8.count <= 40, let match = text.wholeMatch(of: form)?.output,
            let year = Int64(match.1), let month = Int64(match.2), let day = Int64(match.3), let hour = Int64(match.4),
            let minute = Int64(match.5), let second = Int64(match.6)
        else { return nil }
        let fraction = (match.7.map(String.init) ?? "") + "000000"
        let (offsetHours, offsetMinutes) = (Int64(match.9 ?? "0")!, Int64(match.10 ?? "0")!)
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeapYear ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard year >= 1, 1...12 ~= month, 1...lengths[Int(month) - 1] ~= day, hour < 24, minute < 60, second < 60,
            offsetHours < 24, offsetMinutes < 60
        else { return nil }
        // The inverse of what ``write(into:)`` does; March is the first month.
        let (era, yearOfEra) = (month > 2 ? year : year - 1).quotientAndRemainder(dividingBy: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468 - 10_957
        let offset = (offsetHours * 60 + offsetMinutes) * (match.8 == "-" ? -1 : 1)
        let seconds = days * 86_400 + hour * 3600 + (minute - offset) * 60 + second
        self.init(microsecondsSince2000: seconds * 1_000_000 + Int64(fraction.prefix(6))!)
    }

    /// This machine's time.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let secondsTo2000 = 946_684_800
        return Timestamp(microsecondsSince2000: Int64((time.tv_sec - secondsTo2000) * 1_000_000 + time.tv_nsec / 1000))
    }

    public static func < (a: Self, b: Self) -> Bool { a.microsecondsSince2000 < b.microsecondsSince2000 }

    /// RFC 3339 in UTC, for example `2026-11-23T10:11:12.123456Z`; without a fraction when that is zero.
    public var description: String {
        var bytes: [UInt8] = []
        write(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends ``description`` as ASCII.
    public func write(into bytes: inout [UInt8]) {
        var (seconds, microseconds) = microsecondsSince2000.quotientAndRemainder(dividingBy: 1_000_000)
        if microseconds < 0 {
            microseconds += 1_000_000
            seconds -= 1
        }
        var (days, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
        if second < 0 {
            second += 86_400
            days -= 1
        }
        // Days to a civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let shifted = days + 10_957 + 719_468  // days from 1970 to 2000, and from 0000-03-01 to 1970
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        func append(_ value: Int64, digits: Int) {
            var divisor: Int64 = 1
            for _ in 1..<digits { divisor *= 10 }
            var rest = value
            for _ in 0..<digits {
                bytes.append(UInt8(truncatingIfNeeded: 48 + rest / divisor % 10))
                rest %= divisor
                divisor /= 10
                if divisor == 0 { break }
            }
        }
        append(year, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        append(month, digits: 2)
        bytes.append(UInt8(ascii: "-"))
        append(day, digits: 2)
        bytes.append(UInt8(ascii: "T"))
        append(second / 3600, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        append(second / 60 % 60, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        append(second % 60, digits: 2)
        if microseconds != 0 {
            bytes.append(UInt8(ascii: "."))
            append(microseconds, digits: 6)
        }
        bytes.append(UInt8(ascii: "Z"))
    }
}
