import CRM
import HTTPTypes
import Hummingbird
import Model
import NIOCore

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
    /// The client broke off, or sent what is no HTTP.
    case unreadableBody
    case bodyTooLarge
    case unsupportedMediaType
    case invalid([Fault])
    /// A body that names another source than the path.
    case differentSource(inBody: SourceID, inPath: SourceID)
}

/// How an error is answered: the only place where errors become statuses and texts.
///
/// Nothing of an error that this map does not know gets into an answer.
struct ErrorAnswer {
    let status: HTTPResponse.Status
    let detail: String
    private(set) var faults: [Fault]?
    private(set) var headers: HTTPFields = [:]

    private init(_ status: HTTPResponse.Status, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    init(_ error: any Error) {
        self =
            switch error {
            case let refusal as Refusal: Self(refusal)
            case let error as CRMError: Self(error)
            case let error as any HTTPResponseError: Self(error.status, error.status.reasonPhrase)
            default: Self(.internalServerError, "Internal Server Error")
            }
    }

    private init(_ refusal: Refusal) {
        switch refusal {
        case .notFound: self.init(.notFound, "Not Found")
        case .methodNotAllowed(let allowed):
            self.init(.methodNotAllowed, "Method Not Allowed")
            headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
        case .hostNotAllowed:
            self.init(.misdirectedRequest, "The service does not go by the name in Host; see ALLOWED_HOSTS")
        case .crossSite: self.init(.forbidden, "A page of another site may not change anything here")
        case .malformedTarget: self.init(.badRequest, "The URL is not correctly percent-encoded")
        case .targetTooLong: self.init(.uriTooLong, "The URL must not be longer than 16 KiB")
        case .unreadableBody: self.init(.badRequest, "There was an error reading the body")
        case .bodyTooLarge: self.init(.contentTooLarge, "The body must not be larger than 1 MiB")
        case .unsupportedMediaType: self.init(.unsupportedMediaType, "The body must be application/json")
        case .invalid(let faults):
            self.init(.unprocessableContent, "The request is not valid; see errors")
            self.faults = faults
        case .differentSource(let inBody, let inPath):
            self.init(.badRequest, "source_id \(inBody) in the body differs from \(inPath) in the path")
        }
    }

    private init(_ error: CRMError) {
        switch error {
        case .operatorNotFound(let id): self.init(.notFound, "Operator \(id) not found")
        case .sourceNotFound(let id): self.init(.notFound, "Source \(id) not found")
        case .leadNotFound(let id): self.init(.notFound, "Lead \(id) not found")
        case .contactNotFound(let id): self.init(.notFound, "Contact \(id) not found")
        case .sourceNameTaken(let name): self.init(.badRequest, "Source with name '\(name)' already exists")
        case .operatorInactive(let id): self.init(.conflict, "Operator \(id) is not active")
        case .operatorFull(let id): self.init(.conflict, "Operator \(id) has no room for another contact")
        case .contactClosed(let id): self.init(.conflict, "Contact \(id) is closed")
        case .rejected: self.init(.conflict, "The change conflicts with what is stored and was not made")
        case .unavailable(let reason):
            self.init(.serviceUnavailable, Self.detail(reason))
            headers[.retryAfter] = "1"
        }
    }

    private static func detail(_ reason: CRMError.Unavailable) -> String {
        switch reason {
        case .queueFull: "Too many requests are waiting; try again"
        case .deadline: "The request could not be completed in time and changed nothing; try again"
        case .outcomeUnknown: "The database did not confirm in time; the change may or may not have been made"
        case .database: "The database is not available; try again"
        case .readOnly: "The database is read-only"
        case .migrationsPending: "The database lacks migrations of this version"
        case .shuttingDown: "The service is shutting down"
        }
    }

    /// The answer in FastAPI's shape, or in that of RFC 9457 for a client that asks for it.
    func response(to accept: Accept) -> Response {
        var json = JSONWriter()
        let isProblem = accept.quality(of: "application/problem+json") > 0
        json.object {
            if isProblem {
                $0.member("type", "about:blank")
                $0.member("title", status.reasonPhrase)
                $0.member("status", status.code)
                $0.member("detail", detail)
                if let faults { $0.member("errors", faults) }
            } else if let faults {
                $0.member("detail", faults)
            } else {
                $0.member("detail", detail)
            }
        }
        let body = ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes))
        var response = Response(status: status, headers: headers, body: body)
        response.headers[.contentType] = isProblem ? "application/problem+json" : "application/json"
        response.headers[.vary] = "Accept"
        return response
    }
}

extension Fault: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.object {
            $0.member("type", misfit.type)
            $0.member("loc", location)
            $0.member("msg", misfit.message)
            if let reason { $0.member("ctx", Context(error: reason)) }
        }
    }

    private struct Context: JSONEncodable {
        let error: String
        func write(to json: inout JSONWriter) { json.object { $0.member("error", error) } }
    }
}

extension Fault.Step: JSONEncodable {
    func write(to json: inout JSONWriter) {
        switch self {
        case .name(let name): name.write(to: &json)
        case .index(let index): index.write(to: &json)
        }
    }
}
