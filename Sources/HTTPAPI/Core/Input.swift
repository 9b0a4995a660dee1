import HTTPTypes
import Model
import NIOCore

/// What an operation takes of a request: parameters of the path and the query, and the body; or a description of it.
///
/// A route says once what it reads, and ``Route`` runs that twice: when it is made, to describe it, and for each request.
/// As with ``Fields`` faults are gathered while reading, and placeholders stand in for what has them; ``Route`` gives
/// nothing of it to the handler unless there are none.
struct Input {
    /// The largest body that is read, in bytes.
    static let maximumBodySize = 1 << 20
    /// The longest path with query that is read, in bytes.
    static let maximumTargetSize = 16 << 10

    /// A body as it is described.
    struct Body {
        let schema: Schema
        let example: JSON
    }

    /// `nil` while describing.
    private let request: Request?
    let caller: Caller
    private let pathParameters: [PathTemplate.Parameter]
    private let query: [QueryItem]
    private let bytes: ByteBuffer
    private let json: JSON?
    private var faults = Faults()
    /// The parameters of the query that the operation has.
    private var knownNames: [String] = []
    private(set) var parameters: [Parameter] = []
    private(set) var body: Body?

    /// Describes what is read of it.
    init() {
        request = nil
        caller = Caller()
        pathParameters = []
        query = []
        bytes = ByteBuffer()
        json = nil
    }

    /// - Throws: ``Refusal`` if the query is malformed or the body cannot be read as JSON.
    init(
        _ request: Request, from caller: Caller = Caller(), body: ByteBuffer, for route: Route,
        parameters: [PathTemplate.Parameter]
    ) throws {
        self.request = request
        self.caller = caller
        pathParameters = parameters
        query = try QueryItem.items(of: request.query)
        bytes = body
        json = route.body == nil ? nil : try Self.json(of: request, body)
    }

    private static func json(of request: Request, _ bytes: ByteBuffer) throws -> JSON? {
        let contentType = request.headers[.contentType]
        guard contentType.map(isJSON) ?? true else { throw Refusal.unsupportedMediaType }
        guard bytes.readableBytes > 0 else { return nil }
        // A page of another site may send what bears no type without asking first.
        guard contentType != nil else { throw Refusal.unsupportedMediaType }
        do {
            return try bytes.withUnsafeReadableBytes { try JSON(parsing: $0) }
        } catch let error as JSONError {
            let misfit = Misfit("json_invalid", "JSON decode error")
            let location: Location = [.name("body"), .index(error.offset)]
            throw Refusal.invalid([Fault(location: location, misfit: misfit, reason: error.reason)])
        }
    }

    /// What the client accepts.
    var accept: Accept { Accept(request?.headers ?? [:]) }

    /// By what a repetition of the request is known.
    ///
    /// - Throws: ``Refusal/idempotencyKeyInvalid``.
    func key() throws(Refusal) -> IdempotencyKey? {
        guard let request else { return nil }
        return try IdempotencyKey(request, from: caller, body: bytes)
    }

    /// A parameter of the path.
    mutating func path<Value>(
        _ name: String, _ conversion: Conversion<Value>, as component: String? = nil, _ words: String,
        _ keywords: JSON = [:], example: JSON? = nil
    ) -> Value {
        guard request != nil else {
            parameters.append(
                Parameter(
                    .path, name, conversion.schema().forParameter.described(nil, keywords), component: component,
                    words, example: example))
            return conversion.placeholder
        }
        let value = pathParameters.first { $0.name == name }?.value ?? ""
        return read(value, at: "path", name, conversion) ?? conversion.placeholder
    }

    /// A parameter of the query; of several with one name the last counts.
    mutating func query<Value>(
        _ name: String, _ conversion: Conversion<Value>, as component: String? = nil, _ words: String,
        _ keywords: JSON = [:], example: JSON? = nil
    ) -> Value? {
        guard request != nil else {
            parameters.append(
                Parameter(
                    .query, name, conversion.schema().forParameter.described(nil, keywords), component: component,
                    words, example: example))
            return nil
        }
        knownNames.append(name)
        return query.last { $0.name == name }.flatMap { read($0.value, at: "query", name, conversion) }
    }

    /// The same, with what stands for it where it is absent.
    mutating func query<Value: JSONEncodable>(
        _ name: String, _ conversion: Conversion<Value>, default value: Value, as component: String? = nil,
        _ words: String
    ) -> Value {
        query(name, conversion, as: component, words, request == nil ? ["default": JSON(of: value)] : [:]) ?? value
    }

    private mutating func read<Value>(
        _ value: String, at place: String, _ name: String, _ conversion: Conversion<Value>
    ) -> Value? {
        do throws(Misfit) {
            return try conversion.convert(.string(value))
        } catch {
            faults.append(Fault(location: [.name(place), .name(name)], misfit: error))
            return nil
        }
    }

    /// The body, after all parameters.
    mutating func body<Model: JSONReadable>(_: Model.Type, example: @autoclosure () -> JSON) -> Model {
        guard request != nil else {
            body = Body(schema: Model.bodySchema, example: example())
            var fields = Fields.describing
            return Model(&fields)
        }
        refuseUnknownParameters()
        var fields = Fields(json, at: [.name("body")], after: faults)
        let value = Model(&fields)
        faults = fields.faults
        return value
    }

    /// Which part of a list is asked for.
    mutating func page() -> PageRequest {
        PageRequest(
            page: Page(
                limit: query(
                    "limit", .integer(in: 1...1000), default: 1000, as: "Limit", "The most elements to answer."),
                after: query(
                    "after", .id(from: 0), default: 0, as: "After", "Only elements with a greater id: the last id seen."
                )),
            path: String(request?.path ?? ""), query: query)
    }

    /// A filter whose name is misspelt must not answer everything.
    private mutating func refuseUnknownParameters() {
        for item in query where !knownNames.contains(item.name) {
            faults.append(Fault(location: [.name("query"), .name(item.name)], misfit: .unknownParameter))
        }
    }

    /// - Throws: ``Refusal/invalid(_:)`` if anything read does not fit, or the query has a parameter that was not read.
    mutating func check(for route: Route) throws(Refusal) {
        if route.body == nil, route.isOfAPI { refuseUnknownParameters() }
        if !faults.entries.isEmpty { throw .invalid(faults.entries) }
    }
}
