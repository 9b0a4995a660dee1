import CRM
import HTTPTypes
import Model
import NIOCore
import Prometheus

extension RouteGroup {
    static let service = RouteGroup("Service", "About the service.", probes + pages)

    private static let probes = [
        Route(
            .get, "/health", "get_health", scope: .public, isProbe: true, "Tell that the service runs",
            answers: .json(Health.self, "It runs.", example: Health.example)
        ) { _ in Health() },
        Route(
            .get, "/livez", "get_livez", scope: .public, isProbe: true, "Tell that the process runs",
            answers: .json(Health.self, "It runs.", example: Health.example)
        ) { _ in Health() },
        Route(
            .get, "/readyz", "get_readyz", scope: .public, isProbe: true, "Tell whether to send requests here",
            errors: [
                .queueFull, .deadline, .databaseUnavailable, .databaseOverloaded, .readOnly, .migrationsPending,
                .shuttingDown,
            ],
            answers: .json(
                Health.self,
                "The database can be written, its migrations are up to date, and the service is not shutting down.",
                example: Health.example)
        ) { api in
            try await api.crm.checkReadiness()
            return Health()
        },
        Route(
            .get, "/metrics", "get_metrics", scope: .metrics, "Metrics for Prometheus",
            answers: .response(
                """
                Requests, assignments, transactions, queues, loads and the process. Without a database it tells what the \
                instance knows by itself.
                """,
                Success.Content(
                    mediaType: "text/plain", schema: String.schema,
                    example: """
                        # HELP leads_crm_queue_length Commands that wait for the next transaction.
                        # TYPE leads_crm_queue_length gauge
                        leads_crm_queue_length 0

                        """))
        ) { api in
            Response(
                status: .ok, headers: [.contentType: Exposition.contentType],
                body: ByteBuffer(string: await api.metrics.text(api.crm, version: api.version)))
        },
    ]

    private static let pages = [
        Route(
            .get, "/", "get_root", scope: .public, "Greet",
            reads: { $0.accept },
            answers: .response(
                "A page for a browser; for others what this is.", headers: [.contentSecurityPolicy, .vary],
                Success.Content(
                    mediaType: "application/json", schema: Root.schema,
                    example: ["message": "Leads CRM", "version": "0.1.0", "docs": "/docs"]), .html)
        ) { api, accept in
            .page(ByteBuffer(bytes: PackageResources.home_html), or: Root(version: api.version), as: accept)
        },
        Route(
            .get, "/docs", "get_docs", scope: .public, "Documentation to try out",
            answers: .response(
                "Swagger UI, or a plain page where it cannot be had.", headers: [.contentSecurityPolicy], .html)
        ) { $0.documentation.swaggerUI },
        Route(
            .get, "/docs/assets/{file}", "get_docs_asset", scope: .public, "A file of the documentation",
            """
            What the pages load. Swagger UI and Redoc are among it where the service has them itself (`DOCS_ASSETS_DIR`); \
            else they come from a CDN.
            """,
            errors: [.notFound],
            reads: {
                $0.path(
                    "file", .text(), "The name of the file.",
                    ["enum": .array(Documentation.fileNames.map(JSON.string))])
            },
            answers: .response(
                "The file.", headers: [.cacheControl],
                Success.Content(mediaType: "text/javascript", schema: String.schema),
                Success.Content(mediaType: "text/css", schema: String.schema))
        ) { api, name in
            try api.documentation.asset(name)
        },
        Route(
            .get, "/redoc", "get_redoc", scope: .public, "Documentation to read",
            answers: .response(
                "Redoc, or a plain page where it cannot be had.", headers: [.contentSecurityPolicy], .html)
        ) { $0.documentation.redoc },
        Route(
            .get, "/openapi.json", "get_openapi", scope: .public, "This description",
            answers: .response(
                "An OpenAPI 3.1 document.",
                Success.Content(mediaType: "application/json", schema: JSON.schema))
        ) { api in
            .json(.whole(api.description))
        },
        Route(
            .get, "/problems/{code}", "get_problem", scope: .public, "Explain an error",
            errors: [.notFound],
            reads: {
                (
                    code: $0.path(
                        "code", .text(), "The `code` of an error.",
                        ["enum": .array(ErrorCode.allCases.map { .string($0.rawValue) })], example: "operator_full"),
                    accept: $0.accept
                )
            },
            answers: .response(
                "What happened, whether anything was changed, and what to do: a page for a browser, JSON for others.",
                headers: [.contentSecurityPolicy, .vary],
                Success.Content(
                    mediaType: "application/json", schema: Explanation.schema,
                    example: JSON(of: Explanation(code: .operatorFull))), .html)
        ) { _, input in
            guard let code = ErrorCode(rawValue: input.code) else { throw Refusal.notFound }
            let explanation = Explanation(code: code)
            return .page(explanation.page, or: explanation, as: input.accept)
        },
    ]
}

extension Response {
    /// A page for a browser, and JSON for others.
    fileprivate static func page(_ page: ByteBuffer, or json: some JSONEncodable, as accept: Accept) -> Response {
        let wantsPage = accept.quality(of: "text/html") > accept.quality(of: "application/json")
        var response: Response = wantsPage ? .html(page) : .json(json)
        response.headers[.vary] = "Accept"
        return response
    }
}

private struct Root: JSONObject {
    let version: String

    static let schemaName = "Root"

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("message") { _ in "Leads CRM" }
        visitor.member("version", "The version of the service.") { $0.version }
        visitor.member("docs", "Where the documentation is.") { _ in "/docs" }
    }
}

private struct Health: JSONObject {
    static let schemaName = "Health"
    static var example: JSON { JSON(of: Health()) }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("status", nil, ["const": "ok"]) { _ in "ok" }
    }
}
