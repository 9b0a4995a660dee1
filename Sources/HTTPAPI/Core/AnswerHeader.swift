/// A header of an answer, as it is described among the components.
struct AnswerHeader: Sendable {
    let name: String
    let component: String
    let json: JSON

    private init(
        _ name: String, _ component: String, _ words: String, isRequired: Bool = false, _ schema: JSON, example: JSON?
    ) {
        self.name = name
        self.component = component
        var json: JSON = ["description": .string(words)]
        if isRequired { json = json.merging(["required": true]) }
        json = json.merging(["schema": schema])
        self.json = example.map { json.merging(["example": $0]) } ?? json
    }

    static let requestID = AnswerHeader(
        "X-Request-ID", "RequestID", "The name of the request: the client's, or a new one.", isRequired: true,
        ["type": "string", "pattern": "^[!-~]{1,128}$"], example: "c0ffee-42")
    static let vary = AnswerHeader(
        "Vary", "Vary", "The answer depends on what the client accepts.", isRequired: true,
        ["type": "string", "const": "Accept"], example: nil)
    static let link = AnswerHeader(
        "Link", "Link", "The next page, if there is one (RFC 8288). A relative reference.", ["type": "string"],
        example: "</api/v1/contacts?status=active&limit=2&after=2>; rel=\"next\"")
    static let relatedLink = AnswerHeader(
        "Link", "RelatedLink", "The list of all contacts, if the lead has more than are embedded (RFC 8288).",
        ["type": "string"], example: "</api/v1/contacts?lead_id=1>; rel=\"related\"")
    static let idempotencyReplayed = AnswerHeader(
        "Idempotency-Replayed", "IdempotencyReplayed",
        "The answer is that to an earlier request with this key; nothing was changed.",
        ["type": "string", "const": "true"], example: nil)
    static let allow = AnswerHeader(
        "Allow", "Allow", "The methods that this path has.", isRequired: true, ["type": "string"],
        example: "POST, GET, HEAD")
    static let wwwAuthenticate = AnswerHeader(
        "WWW-Authenticate", "WWWAuthenticate", "How to show a key (RFC 6750).", isRequired: true, ["type": "string"],
        example: "Bearer realm=\"leads-crm\"")
    static let retryAfter = AnswerHeader(
        "Retry-After", "RetryAfter",
        "Seconds to wait before trying again. Not with `outcome_unknown`: the request could count twice.",
        ["type": "integer", "minimum": 1], example: 1)
    static let cacheControl = AnswerHeader(
        "Cache-Control", "CacheControl", "How long the file may be kept.", isRequired: true, ["type": "string"],
        example: "public, max-age=3600")
    static let contentSecurityPolicy = AnswerHeader(
        "Content-Security-Policy", "ContentSecurityPolicy", "What a browser may load and run on the page.",
        ["type": "string"], example: "default-src 'self'")
}
