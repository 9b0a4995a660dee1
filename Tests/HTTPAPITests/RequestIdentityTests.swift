import Testing

@testable import HTTPAPI

@Suite struct TraceParentTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let parent = "b7ad6b7169203331"

    @Test("A traceparent tells the trace and the parent, also one of a version to come")
    func valid() throws {
        for header in [
            "00-\(Self.trace)-\(Self.parent)-01", "cc-\(Self.trace)-\(Self.parent)-01-what-the-future-brings",
        ] {
            let parsed = try #require(TraceParent(header))
            #expect(parsed.traceID == Self.trace)
            #expect(parsed.parentID == Self.parent)
        }
    }

    @Test(
        "A malformed traceparent is as good as none",
        arguments: [
            "", "00", "00-\(trace)-\(parent)", "00-\(trace)-\(parent)-01-more", "ff-\(trace)-\(parent)-01",
            "00-\(trace.uppercased())-\(parent)-01", "00-\(trace.dropLast())-\(parent)-01", "00-\(trace)-\(parent)x-01",
            "00-\(String(repeating: "0", count: 32))-\(parent)-01",
            "00-\(trace)-\(String(repeating: "0", count: 16))-01",
            "00-\(trace)-\(parent)-0g", "00 \(trace) \(parent) 01",
        ])
    func malformed(_ header: String) {
        #expect(TraceParent(header) == nil)
    }
}
