import CRM
import HTTPTypes
import Hummingbird
import Model
import NIOCore

/// What a request brings: parameters of the path and the query, and the body.
///
/// As with ``Fields`` faults are gathered while reading. ``check()`` comes after everything was read, and before
/// anything is done with it.
struct Input {
    /// The largest body that is read, in bytes.
    static let maximumBodySize = 1 << 20
    /// The longest path with query that is read, in bytes. What receives requests has no limit for it.
    static let maximumTargetSize = 16 << 10

    private let request: Request
    private let parameters: [PathTemplate.Parameter]
    private let query: [QueryItem]
    private var body: JSON?
    private var faults = Faults()
    /// The parameters of the query that the route knows.
    private var knownParameters: [String] = []

    init(_ request: Request, for route: Route, parameters: [PathTemplate.Parameter]) async throws {
        self.request = request
        self.parameters = parameters
        query = try QueryItem.items(of: request.uri.query ?? "")
        if route.hasBody { body = try await Self.body(of: request) }
    }

    var accept: Accept { Accept(request.headers) }

    private static func body(of request: Request) async throws -> JSON? {
        let contentType = request.headers[.contentType]
        guard contentType.map(isJSON) ?? true else { throw Refusal.unsupportedMediaType }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maximumBodySize {
            throw Refusal.bodyTooLarge
        }
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: maximumBodySize)
        } catch is NIOTooManyBytesError {
            throw Refusal.bodyTooLarge
        } catch {
            throw Refusal.unreadableBody
        }
        guard bytes.readableBytes > 0 else { return nil }
        // A page of another site may send what bears no type without asking first.
        guard contentType != nil else { throw Refusal.unsupportedMediaType }
        do {
            return try bytes.withUnsafeReadableBytes { try JSON(parsing: $0) }
        } catch let error as JSONError {
            let misfit = Misfit("json_invalid", "JSON decode error")
            let location: [Fault.Step] = [.name("body"), .index(error.offset)]
            throw Refusal.invalid([Fault(location: location, misfit: misfit, reason: error.reason)])
        }
    }

    /// An id in the path.
    mutating func id<Entity>(_ name: String) -> ID<Entity> {
        read(text(name), at: "path", name, .id()) ?? ID(0)
    }

    /// A text in the path.
    func text(_ name: String) -> String {
        parameters.first { $0.name == name }?.value ?? ""
    }

    /// A parameter of the query; of several with one name the last counts.
    mutating func query<T>(_ name: String, _ conversion: Conversion<T>) -> T? {
        knownParameters.append(name)
        return query.last { $0.name == name }.flatMap { read($0.value, at: "query", name, conversion) }
    }

    private mutating func read<T>(
        _ value: String, at place: String, _ name: String, _ conversion: Conversion<T>
    ) -> T? {
        do throws(Misfit) {
            return try conversion.convert(.string(value))
        } catch {
            faults.append(Fault(location: [.name(place), .name(name)], misfit: error))
            return nil
        }
    }

    /// Which part of a list is asked for.
    mutating func page() -> Page {
        Page(
            limit: query("limit", .integer(in: 1...1000)) ?? 1000,
            after: query("after", .id(from: 0)) ?? 0)
    }

    mutating func body<T>(_ read: (inout Fields) -> T) -> T {
        var fields = Fields(body, at: [.name("body")], after: faults)
        let value = read(&fields)
        faults = fields.faults
        return value
    }

    /// - Throws: ``Refusal/invalid(_:)`` if anything read does not fit, or the query has a parameter that was not
    ///   read: a filter whose name is misspelt must not answer everything.
    mutating func check() throws(Refusal) {
        for item in query where !knownParameters.contains(item.name) {
            faults.append(Fault(location: [.name("query"), .name(item.name)], misfit: .unknownParameter))
        }
        if !faults.entries.isEmpty { throw .invalid(faults.entries) }
    }

    /// Answers one page of a list, which ends at its limit or at its size, with a link to the next if there is one.
    ///
    /// - Parameters:
    ///   - id: What the list is ordered by.
    ///   - fetch: Gets a page that is longer by one element, which tells whether there are more.
    func list<Element: JSONEncodable>(
        _ page: Page, by id: (Element) -> Int64, fetch: (Page) async throws -> Listing<Element>
    ) async throws -> Response {
        let listing = try await fetch(Page(limit: page.limit + 1, after: page.after))
        var json = JSONWriter()
        let count = json.array(listing.elements.prefix(page.limit), upTo: Page.sizeLimit)
        var response = Response.json(json)
        if count < listing.elements.count || listing.goesOn, let last = listing.elements.prefix(count).last {
            let query = query.filter { $0.name != "after" } + [QueryItem(name: "after", value: String(id(last)))]
            // RFC 8288; relative, because the client alone knows by which name it reaches the service.
            response.headers[.link] = "<\(request.uri.path)?\(QueryItem.text(query))>; rel=\"next\""
        }
        return response
    }
}

extension HTTPField.Name {
    static let link = HTTPField.Name("Link")!
}

extension Response {
    static func json(_ value: some JSONEncodable, status: HTTPResponse.Status = .ok) -> Response {
        var json = JSONWriter()
        value.write(to: &json)
        return .json(json, status: status)
    }

    static func json(_ json: JSONWriter, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}
