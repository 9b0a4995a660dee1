import CRM
import Foundation
import HTTPTypes
import Logging
import Model
import NIOCore
import NIOPosix
import Postgres
import TestSupport
import Testing

@testable import HTTPAPI

/// Answers that take no database.
@Suite struct HTTPAPITests {
    private static let logger = Logger(label: "test")
    /// The service runs without a database, so that requests that need one get 503.
    private static let crm: CRM = {
        var configuration = CRM.Configuration(connection: ConnectionConfiguration(url: "host=/nowhere"))
        configuration.requestTimeout = .milliseconds(100)
        let crm = CRM(configuration, logger: logger)
        Task { try await crm.run() }
        return crm
    }()

    /// Answers a request as it would arrive. There is no database.
    func send(
        _ method: HTTPRequest.Method, _ target: String, host: String? = "x", headers: HeaderFields = [:],
        body: String = "", contentType: String? = "application/json", documentation: Documentation = Documentation(),
        allowedHosts: AllowedHosts = .any
    ) async throws -> Response {
        var headers = headers
        if let host { headers[.host] = host }
        if !body.isEmpty, let contentType { headers[.contentType] = contentType }
        let api = HTTPAPI(
            crm: Self.crm, version: "1.2.3", documentation: documentation, allowedHosts: allowedHosts,
            logger: Self.logger)
        let exchange = api.open(Request(method: method, target: target, headers: headers))
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        return await withCheckedContinuation { continuation in
            eventLoop.execute {
                exchange.answer(body: ByteBuffer(string: body), on: eventLoop) { continuation.resume(returning: $0) }
            }
        }
    }

    @Test("The root is a page for a browser, and JSON for everybody else")
    func root() async throws {
        let json = #"{"message":"Leads CRM","version":"1.2.3","docs":"/docs"}"#
        for accept in [nil, "*/*", "application/json", "application/json, text/html;q=0.9", "text/html;q=0"] {
            let response = try await send(.get, "/", headers: accept.map { [.accept: $0] } ?? [:])
            #expect(response.headers[.contentType] == "application/json")
            #expect(response.text == json)
        }
        for accept in ["text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"] {
            let response = try await send(.get, "/", headers: [.accept: accept])
            #expect(response.headers[.contentType] == "text/html; charset=utf-8")
            #expect(response.headers[.vary] == "Accept")
            #expect(response.text.hasPrefix("<!DOCTYPE html>"))
        }
    }

    @Test("The service says that it runs")
    func health() async throws {
        let response = try await send(.get, "/health")
        #expect(response.status == .ok)
        #expect(response.text == #"{"status":"ok"}"#)
    }

    @Test("The documentation loads pinned files that the browser verifies", arguments: ["/docs", "/redoc"])
    func documentation(_ path: String) async throws {
        let page = try await send(.get, path).text
        #expect(page.contains("/openapi.json"))
        let assets = page.matches(
            of: /(?:src|href)="(https:[^"]+)"\s+integrity="sha384-([^"]+)" crossorigin="anonymous"/)
        #expect(assets.count == page.matches(of: /https:/).count && !assets.isEmpty)
        for asset in assets {
            #expect(asset.1.contains(/@\d+\.\d+\.\d+\//))
            #expect(asset.2.count == 64)
        }
    }

    @Test("An answer bears the request's id, or one of its own if that is none to log")
    func requestID() async throws {
        for id in ["a", "{~}", String(repeating: "x", count: 128)] {
            #expect(try await send(.get, "/nowhere", headers: [.requestID: id]).headers[.requestID] == id)
        }
        var made: Set<String> = []
        for id in [nil, "", "a b", "a\tb", "я", String(repeating: "x", count: 129)] {
            let headers: HeaderFields = id.map { [.requestID: $0] } ?? [:]
            let answered = try #require(try await send(.get, "/health", headers: headers).headers[.requestID])
            #expect(answered.wholeMatch(of: /[0-9a-f]{32}/) != nil)
            made.insert(answered)
        }
        #expect(made.count == 6)
    }

    @Test("Without a database the metrics tell what the instance knows")
    func metrics() async throws {
        let response = try await send(.get, "/metrics")
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        let lines = response.text.split(separator: "\n")
        #expect(lines.contains("leads_crm_database_up 0"))
        #expect(lines.contains("leads_crm_build_info{version=\"1.2.3\"} 1"))
        #expect(!lines.contains { $0.hasPrefix("leads_crm_load ") })
    }

    @Test("With assets of its own the service serves them, and its pages load nothing from elsewhere")
    func assets() async throws {
        let directory = try ScratchDirectory.makeSubdirectory("assets")
        let assets = [
            ("swagger-ui-bundle.js", "text/javascript", "/docs"), ("swagger-ui.css", "text/css", "/docs"),
            ("redoc.standalone.js", "text/javascript", "/redoc"),
        ]
        for name in assets.map(\.0) + ["another.js"] {
            try Data("/* \(name) */".utf8).write(to: URL(filePath: "\(directory)/\(name)"))
        }
        let documentation = try await Documentation(assetsIn: directory)

        for (name, type, path) in assets {
            let page = try await send(.get, path, documentation: documentation).text
            #expect(page.contains("=\"/docs/assets/\(name)\""))
            #expect(!page.contains("https:"))
            let file = try await send(.get, "/docs/assets/\(name)", documentation: documentation)
            #expect(file.status == .ok)
            #expect(file.headers[.contentType] == "\(type); charset=utf-8")
            #expect(file.headers[.cacheControl] == "public, max-age=3600")
            #expect(file.text == "/* \(name) */")
            #expect(try await send(.get, "/docs/assets/\(name)").status == .notFound)
        }
        for name in ["another.js", "..%2Fassets%2Fswagger-ui.css", "", "."] {
            #expect(try await send(.get, "/docs/assets/\(name)", documentation: documentation).status == .notFound)
        }
    }

    @Test("HEAD answers as GET does; the connection leaves the body out")
    func head() async throws {
        for path in ["/", "/health", "/docs", "/openapi.json", "/nowhere", "/api/v1/operators/x"] {
            let get = try await send(.get, path, headers: [.requestID: "1"])
            let head = try await send(.head, path, headers: [.requestID: "1"])
            #expect(head.status == get.status)
            #expect(head.headers == get.headers)
            #expect(head.text == get.text)
        }
    }

    @Test("What goes wrong is answered in FastAPI's shape")
    func errors() async throws {
        let unknown = try await send(.get, "/nowhere")
        #expect(unknown.status == .notFound)
        #expect(try await unknown.text == #"{"detail":"Not Found","code":"not_found"}"#)
        #expect(unknown.headers[.contentType] == "application/json")

        let wrongMethod = try await send(.put, "/api/v1/operators/1")
        #expect(wrongMethod.status == .methodNotAllowed)
        #expect(wrongMethod.headers[.allow] == "GET, HEAD, PATCH, DELETE")
        #expect(try await wrongMethod.text == #"{"detail":"Method Not Allowed","code":"method_not_allowed"}"#)

        for target in ["/api/v1/leads?phone=%zz", "/api/v1/operators/%ff"] {
            let malformed = try await send(.get, target)
            #expect(malformed.status == .badRequest)
            #expect(
                try await malformed.text
                    == #"{"detail":"The URL is not correctly percent-encoded","code":"malformed_target"}"#)
        }
    }

    @Test("With Accept: application/problem+json errors follow RFC 9457")
    func problems() async throws {
        let accept: HeaderFields = [.accept: "application/json, application/problem+json"]
        let unknown = try await send(.get, "/nowhere", headers: accept)
        #expect(unknown.headers[.contentType] == "application/problem+json")
        #expect(
            try await unknown.text
                == """
                {"type":"/problems/not_found","title":"Not Found","status":404,"detail":"Not Found","code":"not_found"}
                """)
        let invalid = try await send(.get, "/api/v1/operators?limit=0", headers: accept)
        #expect(
            try await invalid.text == """
                {"type":"/problems/invalid_request","title":"Unprocessable Content","status":422,\
                "detail":"The request is not valid; see errors","code":"invalid_request","errors":[{"type":"greater_than_equal",\
                "loc":["query","limit"],"msg":"Input should be greater than or equal to 1"}]}
                """)
    }

    @Test("Faults of path, query and body are in one answer, in this order")
    func allFaults() async throws {
        let response = try await send(.patch, "/api/v1/operators/x", body: #"{"max_load":0,"name":1}"#)
        #expect(response.status == .unprocessableContent)
        #expect(
            response.text == """
                {"detail":[{"type":"int_parsing","loc":["path","operator_id"],\
                "msg":"Input should be a valid integer, unable to parse string as an integer"},\
                {"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string"},\
                {"type":"greater_than_equal","loc":["body","max_load"],\
                "msg":"Input should be greater than or equal to 1"}],"code":"invalid_request"}
                """)
        let list = try await send(
            .get, "/api/v1/contacts?limit=1001&after=-1&status=x&operator_id=&waiting=2&lead_id=1.5")
        let types = list.text.matches(of: /"type":"(\w+)","loc":\["query","(\w+)"\]/).map {
            "\($0.2) \($0.1)"
        }
        #expect(
            types == [
                "limit less_than_equal", "after greater_than_equal", "status literal_error", "operator_id int_parsing",
                "lead_id int_parsing", "waiting bool_parsing",
            ])
        let nul = try await send(.get, "/api/v1/leads?external_id=a%00b")
        #expect(try await nul.text.contains(#""type":"value_error","loc":["query","external_id"]"#))
    }

    @Test("An id beyond 64 bits is a fault of the path")
    func hugeID() async throws {
        for id in ["9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
            let response = try await send(.get, "/api/v1/contacts/\(id)")
            #expect(response.status == .unprocessableContent)
            #expect(response.text.contains(#""type":"int_parsing_size","loc":["path","contact_id"]"#))
        }
    }

    @Test("A body that is no JSON is told where it stops being that")
    func brokenBody() async throws {
        let response = try await send(.patch, "/api/v1/operators/x", body: #"{"name": }"#)
        #expect(response.status == .unprocessableContent)
        #expect(
            response.text == """
                {"detail":[{"type":"json_invalid","loc":["body",9],"msg":"JSON decode error",\
                "ctx":{"error":"Expecting value"}}],"code":"invalid_request"}
                """)
    }

    @Test("A call without a body misses it")
    func noBody() async throws {
        let response = try await send(.post, "/api/v1/contacts")
        #expect(response.status == .unprocessableContent)
        #expect(
            response.text
                == #"{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}],"code":"invalid_request"}"#)
    }

    @Test("Of ten thousand faults a hundred are told, and that there are more")
    func manyFaults() async throws {
        let weights = Array(repeating: #"{"operator_id":"x","source_id":"x","weight":"x"}"#, count: 10_000)
        let response = try await send(
            .post, "/api/v1/sources/x/distribution?a=1",
            body: #"{"operator_weights":[\#(weights.joined(separator: ","))]}"#)
        #expect(response.status == .unprocessableContent)
        let text = response.text
        #expect(text.matches(of: /"type":"int_parsing"/).count == 99)
        // After the path's and before the body's.
        #expect(text.matches(of: /int_parsing.*extra_forbidden.*int_parsing/).count == 1)
        #expect(
            text.hasSuffix(
                """
                ,{"type":"too_many_errors","loc":["body"],\
                "msg":"More is wrong with the request than the first 100 faults, and is not listed"}],\
                "code":"invalid_request"}
                """))
    }

    @Test("A parameter of the query that an operation does not have is a fault, whatever the operation")
    func unknownParameters() async throws {
        let fault = #"{"type":"extra_forbidden","loc":["query","statsu"],"msg":"Extra inputs are not permitted"}"#
        for route in RouteGroup.all.flatMap({ $0.routes }) where route.path.text.hasPrefix("/api/v1/") {
            let path = route.path.text.replacing(/\{\w+\}/, with: "1")
            let body = route.body != nil ? "{}" : ""
            let response = try await send(route.method, "\(path)?statsu=active", body: body)
            #expect(response.status == .unprocessableContent, "\(route.operationID)")
            #expect(response.text.contains(fault), "\(route.operationID)")
        }
        for name in ["Status", "status%00", "", "operator"] {
            #expect(try await send(.get, "/api/v1/contacts?\(name)=active").status == .unprocessableContent)
        }
        #expect(try await send(.get, "/health?now=1").status == .ok)
    }

    @Test("An id is spelled one way in a path and in a query")
    func idSpelling() async throws {
        for id in ["1_0", "+1", "%2B1", "%201", "1%20", "01", "-0", "1.0", "1e1"] {
            for target in ["contacts/\(id)", "contacts?operator_id=\(id)", "operators?after=\(id)"] {
                let response = try await send(.get, "/api/v1/\(target)")
                #expect(response.status == .unprocessableContent, "\(target)")
                #expect(response.text.contains(#""type":"int_parsing""#), "\(target)")
            }
        }
    }

    @Test("A body may have a mebibyte and no more")
    func bodySize() async throws {
        let whole = String(repeating: " ", count: Input.maximumBodySize)
        #expect(try await send(.post, "/api/v1/sources", body: whole).status == .unprocessableContent)
        #expect(
            ErrorAnswer(code: .bodyTooLarge).response(to: Accept([:])).text
                == #"{"detail":"The body must not be larger than 1 MiB","code":"body_too_large"}"#)
    }

    @Test("A URL may have 16 KiB and no more")
    func targetSize() async throws {
        let query = { String(repeating: "a", count: 16_384 - "/health?".utf8.count + $0) }
        #expect(try await send(.get, "/health?\(query(0))").status == .ok)
        let refused = try await send(.get, "/health?\(query(1))")
        #expect(refused.status == .uriTooLong)
        #expect(try await refused.text == #"{"detail":"The URL must not be longer than 16 KiB","code":"uri_too_long"}"#)
    }

    @Test("Without a database the answer is 503")
    func noDatabase() async throws {
        for (method, target) in [(HTTPRequest.Method.get, "/api/v1/leads/1"), (.post, "/api/v1/contacts")] {
            let response = try await send(method, target, body: #"{"source_id":1}"#)
            #expect(response.status == .serviceUnavailable)
            #expect(response.headers[.retryAfter] == "1")
        }
    }

    @Test("A distribution whose source differs from the path's is refused")
    func differentSource() async throws {
        let body = #"{"operator_weights":[{"operator_id":1,"source_id":7},{"operator_id":2,"source_id":8}]}"#
        for method in [HTTPRequest.Method.post, .put] {
            let response = try await send(method, "/api/v1/sources/7/distribution", body: body)
            #expect(response.status == .badRequest)
            #expect(
                response.text
                    == #"{"detail":"source_id 8 in the body differs from 7 in the path","code":"source_mismatch"}"#)
        }
    }
}

@Suite struct InputTests {
    private func input(_ target: String) async throws -> Input {
        try Input(
            Request(method: .get, target: target, headers: [:]), body: ByteBuffer(), for: Self.route(.get) { _ in },
            parameters: [])
    }

    private static func route(
        _ method: HTTPRequest.Method, reads: @escaping @Sendable (inout Input) -> Void
    ) -> Route {
        Route(method, "/", "", scope: .public, "", reads: reads, answers: .response("")) { _, _ in
            Response(status: .ok)
        }
    }

    @Test("A page is as long as asked for, and links to the next if there is one")
    func link() async throws {
        let ids = (1...5).map(Int64.init)
        var input = try await input("/api/v1/contacts?status=active&limit=2&x=%D1%8F%20+&after=1&after=2&y")
        let page = input.page()
        let first = try await page.answer(by: { $0 }) { page in
            #expect(page.limit == 3 && page.after == 2)
            return Listing(elements: Array(ids.filter { $0 > page.after }.prefix(page.limit)))
        }
        #expect(first.text == "[3,4]")
        let link = "</api/v1/contacts?status=active&limit=2&x=%D1%8F%20%20&y=&after=4>; rel=\"next\""
        #expect(first.headers[HTTPField.Name("Link")!] == link)
        let last = try await page.answer(by: { $0 }) { _ in Listing(elements: [4, 5]) }
        #expect(try await last.text == "[4,5]")
        #expect(last.headers[HTTPField.Name("Link")!] == nil)
        let short = try await page.answer(by: { $0 }) { _ in Listing(elements: [3], goesOn: true) }
        #expect(short.headers[HTTPField.Name("Link")!]?.contains("after=3") == true)
    }

    @Test("A list is read from its beginning, a thousand at a time, unless it is said otherwise")
    func defaultPage() async throws {
        var input = try await input("/")
        let page = input.page()
        #expect(page.page == Page(limit: 1000, after: 0))
    }
}

@Suite struct ErrorAnswerTests {
    @Test(
        "Each error of the CRM has its code, its status and its words",
        arguments: [
            (.operatorNotFound(OperatorID(7)), .operatorNotFound, 404, "Operator 7 not found"),
            (.sourceNotFound(SourceID(-7)), .sourceNotFound, 404, "Source -7 not found"),
            (.leadNotFound(LeadID(7)), .leadNotFound, 404, "Lead 7 not found"),
            (.contactNotFound(ContactID(7)), .contactNotFound, 404, "Contact 7 not found"),
            (.sourceNameTaken("x"), .sourceNameTaken, 400, "Source with name 'x' already exists"),
            (.operatorInactive(OperatorID(7)), .operatorInactive, 409, "Operator 7 is not active"),
            (.operatorFull(OperatorID(7)), .operatorFull, 409, "Operator 7 has no room for another contact"),
            (
                .sourceShareFull(OperatorID(7), SourceID(3)), .sourceShareFull, 409,
                "Operator 7 has no room for another contact of source 3"
            ),
            (.contactClosed(ContactID(7)), .contactClosed, 409, "Contact 7 is closed"),
            (.rejected, .rejected, 409, "The change conflicts with what is stored and was not made"),
        ] as [(CRMError, ErrorCode, Int, String)])
    func errors(_ error: CRMError, code: ErrorCode, status: Int, detail: String) {
        let answer = ErrorAnswer(error)
        #expect(answer.code == code)
        #expect(answer.status.code == status)
        #expect(answer.detail == detail)
        #expect(answer.headers.fields.isEmpty)
    }

    @Test(
        "What cannot be done now may be tried again in a second",
        arguments: [
            (.queueFull, .queueFull, "Too many requests are waiting; try again"),
            (.deadline, .deadline, "The request could not be completed in time and changed nothing; try again"),
            (.database, .databaseUnavailable, "The database is not available; try again"),
            (.readOnly, .readOnly, "The database is read-only"),
            (.migrationsPending, .migrationsPending, "The database lacks migrations of this version"),
            (.shuttingDown, .shuttingDown, "The service is shutting down"),
        ] as [(CRMError.Unavailable, ErrorCode, String)])
    func unavailable(_ reason: CRMError.Unavailable, code: ErrorCode, detail: String) {
        let answer = ErrorAnswer(CRMError.unavailable(reason))
        #expect(answer.code == code)
        #expect(answer.status == .serviceUnavailable)
        #expect(answer.detail == detail)
        #expect(answer.headers[.retryAfter] == "1")
    }

    @Test("What may have been done is not to be repeated unseen")
    func outcomeUnknown() {
        let answer = ErrorAnswer(CRMError.unavailable(.outcomeUnknown))
        #expect(answer.code == .outcomeUnknown)
        #expect(answer.status == .serviceUnavailable)
        #expect(answer.detail == "The database did not confirm in time; the change may or may not have been made")
        #expect(answer.headers[.retryAfter] == nil)
    }

    @Test("Nothing of an unexpected error gets out")
    func unexpected() async throws {
        struct Secret: Error { let sql = "SELECT password" }
        let answer = ErrorAnswer(Secret())
        #expect(answer.status == .internalServerError)
        #expect(
            answer.response(to: Accept([:])).text
                == #"{"detail":"Internal Server Error","code":"internal_error"}"#)
    }
}

extension Response {
    /// The whole body.
    var text: String {
        switch body {
        case .whole(let buffer): return String(buffer: buffer)
        case .pieces(var pieces):
            var text = ""
            while let piece = pieces.next() { text += String(buffer: piece) }
            return text
        }
    }
}
