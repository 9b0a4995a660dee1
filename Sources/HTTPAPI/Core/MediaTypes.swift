import HTTPTypes

/// What a client accepts (RFC 9110, section 12.5.1).
struct Accept {
    private let header: String

    init(_ headers: HeaderFields) { header = headers[.accept] ?? "" }

    /// How much a media type is wanted, from 0 to 1, where it is named itself: wildcards do not count.
    func quality(of mediaType: String) -> Double {
        // Without a text for each, as there may be a million.
        for range in header.utf8.split(separator: UInt8(ascii: ",")) {
            let parameters = range.drop { $0 != UInt8(ascii: ";") }
            guard normalized(range.dropLast(parameters.count)).elementsEqual(mediaType.utf8) else { continue }
            let weight = parameters.split(separator: UInt8(ascii: ";")).map(normalized).first {
                $0.starts(with: "q=".utf8)
            }
            return weight.flatMap { Double(String(decoding: Array($0.dropFirst(2)), as: UTF8.self)) } ?? 1
        }
        return 0
    }
}

/// Whether a body of this type is read. A browser sends no such body for a page of another site before it has asked.
func isJSON(contentType: String) -> Bool {
    // What nearly every client sends takes no reading.
    if contentType == "application/json" { return true }
    return normalized(contentType.utf8.prefix { $0 != UInt8(ascii: ";") }).elementsEqual("application/json".utf8)
}

/// Media types know no upper case and no white space.
private func normalized(_ mediaType: Substring.UTF8View) -> some Sequence<UInt8> {
    mediaType.lazy.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
        .map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
}
