import CRM
import HTTPTypes
import Model

/// What this layer refuses by itself.
enum Refusal: Error, Equatable {
    case notFound
    case methodNotAllowed(allowed: [HTTPRequest.Method])
    /// The service does not go by the name that the request has for it.
    case hostNotAllowed
    /// A page of another site sent by a browser what would change something.
    case crossSite
    /// The path or query is not correctly percent-encoded.
    case malformedTarget
    case targetTooLong
    case unsupportedMediaType
    case idempotencyKeyInvalid
    /// No key, or none that is good.
    case unauthorized
    /// The key does not allow it.
    case forbidden(String)
    /// Too much of it for now; in so many seconds again.
    case rateLimited(wait: Int)
    case invalid([Fault])
    /// A body that names another source than the path.
    case differentSource(inBody: SourceID, inPath: SourceID)
}

/// How an error is answered: the only place where errors become codes and texts.
///
/// Nothing of an error that this map does not know gets into an answer.
struct ErrorAnswer {
    let code: ErrorCode
    let detail: String
    private(set) var faults: [Fault]?
    private(set) var headers: HeaderFields = [:]

    var status: HTTPResponse.Status { code.meaning.status }

    init(_ error: any Error) {
        self =
            switch error {
            case let refusal as Refusal: Self(refusal)
            case let error as CRMError: Self(error)
            default: Self(code: .internalError)
            }
    }

    init(code: ErrorCode, _ detail: String? = nil) {
        self.code = code
        self.detail = detail ?? code.meaning.detail
        if code.mayBeRetried { inviteRetry() }
    }

    mutating func inviteRetry() { headers[.retryAfter] = "1" }

    private init(_ refusal: Refusal) {
        switch refusal {
        case .notFound: self.init(code: .notFound)
        case .methodNotAllowed(let allowed):
            self.init(code: .methodNotAllowed)
            headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
        case .hostNotAllowed: self.init(code: .hostNotAllowed)
        case .crossSite: self.init(code: .crossSite)
        case .malformedTarget: self.init(code: .malformedTarget)
        case .targetTooLong: self.init(code: .uriTooLong)
        case .unsupportedMediaType: self.init(code: .unsupportedMediaType)
        case .idempotencyKeyInvalid: self.init(code: .idempotencyKeyInvalid)
        case .unauthorized:
            self.init(code: .unauthorized)
            headers[.wwwAuthenticate] = "Bearer realm=\"leads-crm\""
        case .forbidden(let reason): self.init(code: .forbidden, reason)
        case .rateLimited(let wait):
            self.init(code: .rateLimited)
            headers[.retryAfter] = String(max(1, wait))
        case .invalid(let faults):
            self.init(code: .invalidRequest)
            self.faults = faults
        case .differentSource(let inBody, let inPath):
            self.init(code: .sourceMismatch, "source_id \(inBody) in the body differs from \(inPath) in the path")
        }
    }

    private init(_ error: CRMError) {
        switch error {
        case .operatorNotFound(let id): self.init(code: .operatorNotFound, "Operator \(id) not found")
        case .sourceNotFound(let id): self.init(code: .sourceNotFound, "Source \(id) not found")
        case .leadNotFound(let id): self.init(code: .leadNotFound, "Lead \(id) not found")
        case .contactNotFound(let id): self.init(code: .contactNotFound, "Contact \(id) not found")
        case .weightNotFound(let operatorID, let sourceID):
            self.init(code: .weightNotFound, "Operator \(operatorID) has no weight at source \(sourceID)")
        case .keyNotFound(let id): self.init(code: .keyNotFound, "Key '\(id)' not found")
        case .sourceNameTaken(let name): self.init(code: .sourceNameTaken, "Source with name '\(name)' already exists")
        case .operatorInactive(let id): self.init(code: .operatorInactive, "Operator \(id) is not active")
        case .operatorFull(let id): self.init(code: .operatorFull, "Operator \(id) has no room for another contact")
        case .sourceShareFull(let id, let source):
            self.init(code: .sourceShareFull, "Operator \(id) has no room for another contact of source \(source)")
        case .contactClosed(let id): self.init(code: .contactClosed, "Contact \(id) is closed")
        case .idempotencyKeyReused: self.init(code: .idempotencyKeyReused)
        case .idempotencyInFlight: self.init(code: .idempotencyInFlight)
        case .operatorInUse(let id): self.init(code: .inUse, "Operator \(id) has or had contacts")
        case .sourceInUse(let id): self.init(code: .inUse, "Source \(id) has contacts")
        case .rejected: self.init(code: .rejected)
        case .unavailable(.queueFull): self.init(code: .queueFull)
        case .unavailable(.deadline): self.init(code: .deadline)
        case .unavailable(.outcomeUnknown): self.init(code: .outcomeUnknown)
        case .unavailable(.database): self.init(code: .databaseUnavailable)
        case .unavailable(.overloaded): self.init(code: .databaseOverloaded)
        case .unavailable(.readOnly): self.init(code: .readOnly)
        case .unavailable(.migrationsPending): self.init(code: .migrationsPending)
        case .unavailable(.shuttingDown): self.init(code: .shuttingDown)
        }
    }

    /// The answer in FastAPI's shape, or in that of RFC 9457 for a client that asks for it.
    func response(to accept: Accept) -> Response {
        let isProblem = accept.quality(of: "application/problem+json") > 0
        var json = JSONWriter()
        write(asProblem: isProblem, to: &json)
        var response = Response.json(json, status: status)
        response.headers.append(headers)
        if isProblem { response.headers[.contentType] = "application/problem+json" }
        response.headers[.vary] = "Accept"
        return response
    }

    func write(asProblem isProblem: Bool, to json: inout JSONWriter) {
        if isProblem {
            Problem(answer: self).write(to: &json)
        } else if let faults {
            ErrorBody(detail: faults, code: code).write(to: &json)
        } else {
            ErrorBody(detail: detail, code: code).write(to: &json)
        }
    }
}

extension ErrorCode: JSONEncodable {
    static var schema: Schema { Schema(["type": "string"]) }

    func write(to json: inout JSONWriter) { rawValue.write(to: &json) }
}

/// An error in FastAPI's shape, with a text or a list of faults as its `detail`.
struct ErrorBody<Detail: JSONEncodable>: JSONObject {
    let detail: Detail
    let code: ErrorCode

    static var schemaName: String { "Error" }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("detail", "What is wrong.") { $0.detail }
        visitor.member("code", "The cause, by a name that stays.") { $0.code }
    }

    /// - Parameter codes: Those that there may be.
    static func schema(named name: String, codes: [ErrorCode]) -> Schema {
        let codes: JSON = ["enum": .array(codes.map { .string($0.rawValue) })]
        return .object(
            name, nil, properties.map { $0.name == "code" ? ($0.name, $0.schema.adding(codes), true) : $0 })
    }
}

/// An error after RFC 9457.
struct Problem: JSONObject {
    let answer: ErrorAnswer

    static let schemaName = "Problem"
    static var words: String? {
        "An error after RFC 9457, for `Accept: application/problem+json`. `errors` comes with 422."
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("type", "Where the error is explained.") { "/problems/\($0.answer.code.rawValue)" }
        visitor.member("title") { $0.answer.status.reasonPhrase }
        visitor.member("status") { $0.answer.status.code }
        visitor.member("detail") { $0.answer.detail }
        visitor.member("code", "The cause, by a name that stays.") { $0.answer.code }
        visitor.memberIfPresent("errors", nil) { $0.answer.faults }
    }
}

extension Fault: JSONObject {
    static let schemaName = "Fault"
    static var words: String? { "One thing that is wrong with a request." }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member(
            "type", "The kind of fault, by the names of pydantic.", ["examples": ["greater_than_equal"]]
        ) { $0.misfit.type }
        visitor.member(
            "loc",
            """
            Where: `body`, `query` or `path`, then names and indices; in a body that is no JSON, the offset of the byte.
            """, ["examples": [["body", "max_load"]]]
        ) { $0.location }
        visitor.member(
            "msg", "What is wrong, in words.", ["examples": ["Input should be greater than or equal to 1"]]
        ) { $0.misfit.message }
        visitor.memberIfPresent("ctx", "For `json_invalid`: what the reader met.") { $0.reason.map(Context.init) }
    }

    struct Context: JSONObject {
        let error: String

        static let schemaName = "FaultContext"

        static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
            visitor.member("error") { $0.error }
        }
    }
}

extension Fault.Step: JSONEncodable {
    static var schema: Schema { Schema(["type": ["string", "integer"]]) }

    func write(to json: inout JSONWriter) {
        switch self {
        case .name(let name): name.write(to: &json)
        case .index(let index): index.write(to: &json)
        }
    }
}
