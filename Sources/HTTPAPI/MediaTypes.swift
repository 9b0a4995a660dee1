import HTTPTypes

/// What a client accepts (RFC 9110, section 12.5.1).
struct Accept {
    private let header: String

    init(_ headers: HTTPFields) { header = headers[.accept] ?? "" }

    /// How much a media type is wanted, from 0 to 1, where it is named itself: wildcards do not count.
    func quality(of mediaType: String) -> Double {
        for range in header.split(separator: ",") {
            let parts = range.split(separator: ";").map(normalized)
            guard parts.first == mediaType else { continue }
            return parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
        }
        return 0
    }
}

/// Whether a body of this type is JSON. Without a type it is taken for that.
func isJSON(contentType: String) -> Bool {
    // What nearly every client sends takes no reading.
    if contentType.isEmpty || contentType == "application/json" { return true }
    let mediaType = normalized(contentType.prefix { $0 != ";" })
    return mediaType == "application/json" || mediaType.hasPrefix("application/") && mediaType.hasSuffix("+json")
}

/// Media types know no upper case and no white space.
private func normalized(_ mediaType: Substring) -> String {
    mediaType.lowercased().filter { $0 != " " && $0 != "\t" }
}
