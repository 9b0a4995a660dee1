import Model
import Testing

@Suite struct TimestampTests {
    @Test(
        "A time of RFC 3339 is read with its offset",
        arguments: [
            ("2026-11-23T10:11:12Z", "2026-11-23T10:11:12Z"), ("2026-11-23t10:11:12.5z", "2026-11-23T10:11:12.500000Z"),
            ("2026-11-23T01:11:12.123456789+03:30", "2026-11-22T21:41:12.123456Z"),
            ("2026-12-31T23:00:00-01:00", "2027-01-01T00:00:00Z"), ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ])
    func read(text: String, moment: String) {
        #expect(Timestamp(rfc3339: text)?.description == moment)
    }

    @Test("Days of eight hundred years are read as they are written")
    func days() {
        // All would take minutes.
        for day in stride(from: Int64(-146_097), to: 146_097, by: 149) {
            let time = Timestamp(microsecondsSince2000: day * 86_400_000_000)
            if Timestamp(rfc3339: time.description) != time { Issue.record("\(time)") }
        }
    }

    @Test(
        "What is no time of RFC 3339 is none",
        arguments: [
            "", "now", "2026-11-23", "2026-11-23T10:11:12", "2026-11-23 10:11:12Z", "2026-11-23T10:11Z",
            "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
            "2026-11-23T24:00:00Z", "2026-11-23T10:60:00Z", "2026-12-31T23:59:60Z", "2026-11-23T10:11:12+24:00",
            "2026-11-23T10:11:12.Z", "0000-01-01T00:00:00Z", "٢٠٢٦-11-23T10:11:12Z", "2026-11-23T10:11:12 03:00",
            "2026-11-23T10:11:12.1234567890Z", "2026-11-23T10:11:12Z\n",
        ])
    func refused(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }
}
