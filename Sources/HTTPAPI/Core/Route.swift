import CRM
import HTTPTypes
import Model
import NIOCore

extension Scope? {
    /// Everybody may call it, without a key.
    static var `public`: Self { nil }
}

/// One operation of the API: method, path, who may call it, what it reads, what it answers, and its words.
final class Route: Sendable {
    let method: HTTPRequest.Method
    let path: PathTemplate
    /// The `operationId` in the description of the API.
    let operationID: String
    /// What a key must allow; `nil`: none is asked for.
    let scope: Scope?
    /// Whether load balancers and the like ask it by an address, whatever the service is called. It tells nothing.
    let isProbe: Bool
    let summary: String
    let words: String?
    let parameters: [Parameter]
    let body: Input.Body?
    /// The largest body that is read, in bytes.
    let bodyLimit: Int
    let success: Success
    /// The errors that only this operation and some others have.
    private let ownErrors: [ErrorCode]
    /// Whether an `Idempotency-Key` makes it count once.
    let takesKey: Bool
    private let handler: @Sendable (HTTPAPI, inout Input, Route) throws -> Work

    /// What is to be done for a request that was read without fault.
    enum Work {
        /// It takes no waiting.
        case done(Response)
        /// Handed to the lane at once, without a task of its own; the answer is made from what comes back.
        case command(@Sendable (@escaping Completion<@Sendable () -> Response>) throws -> Void)
        case task(@Sendable () async throws -> Response)
    }

    /// - Parameters:
    ///   - errors: Which there may be besides those that all operations of its kind have.
    ///   - reads: What it reads. Run once to describe it, too, so it does nothing else.
    ///   - answers: What a success is.
    ///   - handle: Does it, with what was read without fault.
    convenience init<Value: Sendable, Output: Sendable>(
        _ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, scope: Scope?, isProbe: Bool = false,
        _ summary: String, _ words: String? = nil, errors: [ErrorCode] = [],
        reads: @escaping @Sendable (inout Input) -> Value, answers: Answer<Output>,
        handle: @escaping @Sendable (HTTPAPI, Value) async throws -> Output
    ) {
        self.init(
            method, path, operationID, scope: scope, isProbe: isProbe, summary, words, errors: errors, reads: reads,
            success: answers.success
        ) { api, value, _, _ in
            .task { answers.respond(try await handle(api, value)) }
        }
    }

    /// An operation that may be asked for again and is done once.
    ///
    /// - Parameter handle: Does it, with what was read without fault, and with a key if the request has one.
    convenience init<Value: Sendable, Output: Sendable>(
        _ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, scope: Scope?,
        _ summary: String, _ words: String? = nil, errors: [ErrorCode] = [], bodyLimit: Int = Input.maximumBodySize,
        reads: @escaping @Sendable (inout Input) -> Value, answers: Answer<Output>,
        handleOnce: @escaping @Sendable (HTTPAPI, Value, Idempotency<Output>?) async throws -> Answered<Output>
    ) {
        self.init(
            method, path, operationID, scope: scope, isProbe: false, summary, words, errors: errors,
            bodyLimit: bodyLimit, takesKey: method == .post, reads: reads, success: answers.success
        ) { api, value, key, _ in
            .task { answers.response(to: try await handleOnce(api, value, answers.idempotency(key))) }
        }
    }

    /// An operation that waits for nothing.
    convenience init<Value: Sendable, Output: Sendable>(
        _ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, scope: Scope?, isProbe: Bool = false,
        _ summary: String, _ words: String? = nil, errors: [ErrorCode] = [],
        reads: @escaping @Sendable (inout Input) -> Value, answers: Answer<Output>,
        handle: @escaping @Sendable (HTTPAPI, Value) throws -> Output
    ) {
        self.init(
            method, path, operationID, scope: scope, isProbe: isProbe, summary, words, errors: errors, reads: reads,
            success: answers.success
        ) { api, value, _, _ in
            .done(answers.respond(try handle(api, value)))
        }
    }

    /// An operation that is a command for the lane.
    ///
    /// - Parameter command: Hands it over, with what was read without fault, and with a key if the request has one.
    convenience init<Value: Sendable, Output: Sendable>(
        _ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, scope: Scope?,
        _ summary: String, _ words: String? = nil, errors: [ErrorCode] = [],
        reads: @escaping @Sendable (inout Input) -> Value, answers: Answer<Output>,
        command:
            @escaping @Sendable (
                HTTPAPI, Value, Idempotency<Output>?, @escaping Completion<Answered<Output>>
            ) throws -> Void
    ) {
        self.init(
            method, path, operationID, scope: scope, isProbe: false, summary, words, errors: errors,
            takesKey: method == .post, reads: reads, success: answers.success
        ) { api, value, key, caller in
            let answers = answers.seen(by: caller)
            return .command { completion in
                try command(api, value, answers.idempotency(key)) { result in
                    completion(result.map { answered in { answers.response(to: answered) } })
                }
            }
        }
    }

    private init<Value>(
        _ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, scope: Scope?, isProbe: Bool,
        _ summary: String, _ words: String?, errors: [ErrorCode], bodyLimit: Int = Input.maximumBodySize,
        takesKey: Bool = false, reads: @escaping @Sendable (inout Input) -> Value, success: Success,
        work: @escaping @Sendable (HTTPAPI, Value, IdempotencyKey?, Caller) throws -> Work
    ) {
        self.method = method
        self.path = path
        self.operationID = operationID
        self.scope = scope
        self.isProbe = isProbe
        self.summary = summary
        self.words = words
        var input = Input()
        _ = reads(&input)
        parameters = input.parameters
        body = input.body
        self.bodyLimit = bodyLimit
        self.takesKey = takesKey
        self.success = success
        ownErrors = errors
        handler = { api, input, route in
            let key = route.takesKey ? try input.key() : nil
            let value = reads(&input)
            try input.check(for: route)
            return try work(api, value, key, input.caller)
        }
    }

    /// An operation that reads nothing.
    convenience init<Output: Sendable>(
        _ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, scope: Scope?, isProbe: Bool = false,
        _ summary: String, _ words: String? = nil, errors: [ErrorCode] = [], answers: Answer<Output>,
        handle: @escaping @Sendable (HTTPAPI) async throws -> Output
    ) {
        self.init(
            method, path, operationID, scope: scope, isProbe: isProbe, summary, words, errors: errors, reads: { _ in },
            answers: answers, handle: { api, _ in try await handle(api) })
    }

    /// An operation that reads nothing and waits for nothing.
    convenience init<Output: Sendable>(
        _ method: HTTPRequest.Method, _ path: PathTemplate, _ operationID: String, scope: Scope?, isProbe: Bool = false,
        _ summary: String, _ words: String? = nil, errors: [ErrorCode] = [], answers: Answer<Output>,
        handle: @escaping @Sendable (HTTPAPI) throws -> Output
    ) {
        self.init(
            method, path, operationID, scope: scope, isProbe: isProbe, summary, words, errors: errors, reads: { _ in },
            answers: answers, handle: { api, _ in try handle(api) })
    }

    /// Whether it asks the database, and takes no parameter that it does not know.
    var isOfAPI: Bool { path.text.hasPrefix("/api/") }

    var isReading: Bool { method == .get }

    /// Every error that there may be.
    var errors: [ErrorCode] {
        var codes: [ErrorCode] = [
            .malformedRequest, .malformedTarget, .methodNotAllowed, .uriTooLong, .headersTooLarge, .requestTimeout,
            .tooManyConnections, .internalError,
        ]
        if !isProbe { codes.append(.hostNotAllowed) }
        if scope != nil { codes += [.unauthorized, .forbidden, .rateLimited] }
        if !isReading { codes.append(.crossSite) }
        if body != nil { codes += [.malformedBody, .bodyTooLarge, .unsupportedMediaType] }
        if isOfAPI {
            codes += [.invalidRequest, .queueFull, .deadline, .databaseUnavailable, .databaseOverloaded, .shuttingDown]
            if !isReading { codes += [.rejected, .outcomeUnknown] }
            if takesKey { codes += [.idempotencyKeyInvalid, .idempotencyKeyReused, .idempotencyInFlight] }
        }
        return codes + ownErrors
    }

    /// What a request asks for.
    ///
    /// - Throws: ``Refusal``.
    func work(
        for request: Request, from caller: Caller, body: ByteBuffer, with parameters: [PathTemplate.Parameter],
        by api: HTTPAPI
    ) throws -> Work {
        // To read a large body takes so long that others on the event loop would wait.
        guard bodyLimit > Input.maximumBodySize else {
            return try read(request, from: caller, body: body, with: parameters, by: api)
        }
        return .task { [self] in
            guard case .task(let run) = try read(request, from: caller, body: body, with: parameters, by: api)
            else {
                preconditionFailure("what has a large body is done by a task")
            }
            return try await run()
        }
    }

    private func read(
        _ request: Request, from caller: Caller, body: ByteBuffer, with parameters: [PathTemplate.Parameter],
        by api: HTTPAPI
    ) throws -> Work {
        var input = try Input(request, from: caller, body: body, for: self, parameters: parameters)
        return try handler(api, &input, self)
    }
}

/// A parameter as it is described.
struct Parameter: Sendable {
    enum Place: String { case path, query, header }

    /// Its name among the components; without one it stands where it is used.
    let component: String?
    let schema: Schema
    let json: JSON

    init(
        _ place: Place, _ name: String, _ schema: Schema, component: String?, _ words: String, example: JSON? = nil
    ) {
        self.component = component
        self.schema = schema
        let json: JSON = [
            "name": .string(name), "in": .string(place.rawValue), "required": .bool(place == .path),
            "description": .string(words), "schema": schema.json,
        ]
        self.json = example.map { json.merging(["example": $0]) } ?? json
    }

    /// What every `POST` of the API takes.
    static let idempotencyKey = Parameter(
        .header, "Idempotency-Key", Schema(["type": "string", "pattern": "^[!#-~][!-~]{0,254}$"]),
        component: "IdempotencyKey",
        """
        Makes the request count once: the same request with the same key gets the first answer again. 1 to 255 visible \
        ASCII characters, bare or in quotation marks; a new one, as a UUID, for each request that is not a repetition.
        """, example: "8e03978e-40d5-43dd-bc93-6894a57f9324")

    /// What every operation takes.
    static let requestID = Parameter(
        .header, "X-Request-ID", String.schema, component: "RequestID",
        """
        A name for this request, 1 to 128 visible ASCII characters, by which it is found again in the log. Anything else is \
        replaced.
        """)
}

/// An answer to what went well, as it is described.
struct Success: Sendable {
    let status: HTTPResponse.Status
    let words: String
    var headers: [AnswerHeader] = []
    var links: [Link] = []
    let content: [Content]

    struct Content: Sendable {
        let mediaType: String
        let schema: Schema
        var example: JSON?

        static let html = Content(mediaType: "text/html", schema: String.schema)
    }
}

/// Where a value of an answer leads.
struct Link: Sendable {
    let name: String
    let json: JSON

    /// - Parameter parameter: The operation's, which a member of the answer is given to.
    init(_ name: String, to operationID: String, _ parameter: String, from member: String = "id") {
        self.name = name
        json = [
            "operationId": .string(operationID),
            "parameters": .object([JSON.Member(name: parameter, value: .string("$response.body#/\(member)"))]),
        ]
    }

    init(_ name: String, to operationID: String, body: JSON) {
        self.name = name
        json = ["operationId": .string(operationID), "requestBody": body]
    }
}
