import HTTPTypes

/// The description of the API after OpenAPI 3.1, made of what the routes declare.
struct Description {
    private let version: String
    private var components = Components()

    /// The document, indented.
    static func document(version: String, of groups: [RouteGroup] = RouteGroup.all) -> [UInt8] {
        var description = Description(version: version)
        var json = JSONWriter()
        json.indented(description.document(of: groups))
        return json.bytes + [UInt8(ascii: "\n")]
    }

    private init(version: String) { self.version = version }

    private mutating func document(of groups: [RouteGroup]) -> JSON {
        var paths: JSON = [:]
        for group in groups {
            for route in group.routes {
                let operations = paths.members.first { $0.name == route.path.text }?.value ?? [:]
                let operation: JSON = .object([
                    JSON.Member(name: route.method.rawValue.lowercased(), value: self.operation(route, of: group))
                ])
                paths = paths.merging(
                    .object([JSON.Member(name: route.path.text, value: operations.merging(operation))]))
            }
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Leads CRM", "version": .string(version),
                "summary": "Distributes the contacts of leads among operators.",
                "description": .string(Self.introduction),
            ],
            "servers": [["url": "/", "description": "The service that serves this description."]],
            // One or the other: whether a key is asked for is a setting.
            "security": [["key": []], [:]],
            "tags": .array(groups.map { ["name": .string($0.name), "description": .string($0.words)] }),
            "paths": paths,
            "components": components.json.merging([
                "securitySchemes": [
                    "key": [
                        "type": "http", "scheme": "bearer", "bearerFormat": "lcrm_…",
                        "description":
                            "A key as `POST /api/v1/keys` or `leads-crm keys create` makes it, where `AUTH` is on.",
                    ]
                ]
            ]),
        ]
    }

    private static let introduction = """
        Each contact of a lead goes to one operator of its source: by weight, and to nobody beyond their limit.

        Bodies are JSON in UTF-8, `Content-Type: application/json`, at most 1 MiB and 65,536 arrays and objects; unknown \
        fields are ignored, unknown query parameters refused. A URL has at most 16 KiB (414). As the service before this one \
        did, it also reads a number or a truth value that is written as a string (`"15"`, `"yes"`) and the like: that is for \
        clients of old, new ones send what is described here. Times are RFC 3339 in UTC. Every `GET` has its `HEAD`. Errors \
        are answered as below, or, with `Accept: application/problem+json`, after RFC 9457. Each has a `code` that stays, \
        which `/problems/{code}` explains.
        """

    private mutating func operation(_ route: Route, of group: RouteGroup) -> JSON {
        var operation: JSON = [
            "tags": [.string(group.name)], "operationId": .string(route.operationID),
            "summary": .string(route.summary),
        ]
        if route.scope == nil { operation = operation.merging(["security": []]) }
        if let words = route.words { operation = operation.merging(["description": .string(words)]) }
        let parameters = (route.parameters + (route.takesKey ? [.idempotencyKey] : []) + [.requestID]).map {
            parameter in
            components.add(parameter.schema)
            return components.refer(to: .parameters, parameter.component, parameter.json)
        }
        operation = operation.merging(["parameters": .array(parameters)])
        if let body = route.body {
            components.add(body.schema)
            operation = operation.merging([
                "requestBody": [
                    "required": true,
                    "content": ["application/json": ["schema": body.schema.json, "example": body.example]],
                ]
            ])
        }
        var responses: JSON = .object([
            JSON.Member(name: "\(route.success.status.code)", value: success(of: route))
        ])
        for (status, codes) in Self.byStatus(route.errors) {
            responses = responses.merging(
                .object([JSON.Member(name: "\(status.code)", value: failure(status, codes))]))
        }
        return operation.merging(["responses": responses])
    }

    private mutating func success(of route: Route) -> JSON {
        let success = route.success
        let own = success.headers + (route.takesKey ? [.idempotencyReplayed] : [])
        var content: JSON = [:]
        for alternative in success.content {
            components.add(alternative.schema)
            let media: JSON = ["schema": alternative.schema.json]
            content = content.merging(
                .object([
                    JSON.Member(
                        name: alternative.mediaType,
                        value: alternative.example.map { media.merging(["example": $0]) } ?? media)
                ]))
        }
        var answer: JSON = ["description": .string(success.words), "headers": headers(own)]
        if !success.content.isEmpty { answer = answer.merging(["content": content]) }
        if !success.links.isEmpty {
            let links = success.links.map { JSON.Member(name: $0.name, value: $0.json) }
            answer = answer.merging(["links": .object(links)])
        }
        return answer
    }

    /// An answer to what failed: the one of all errors with its status, and which of them this operation has.
    private mutating func failure(_ status: HTTPResponse.Status, _ codes: [ErrorCode]) -> JSON {
        let all = ErrorCode.allCases.filter { $0.meaning.status == status }
        let name = status.reasonPhrase.filter { $0 != " " }
        if !components.has(.responses, name) {
            _ = components.refer(to: .responses, name, errorResponse(status, named: name, all))
        }
        var reference = Components.reference(to: .responses, name)
        if codes.count < all.count {
            reference = reference.merging(["description": .string(Self.words(of: codes))])
        }
        return reference
    }

    private mutating func errorResponse(
        _ status: HTTPResponse.Status, named name: String, _ codes: [ErrorCode]
    ) -> JSON {
        let isInvalid = codes.contains(.invalidRequest)
        // Faults are a list, all other details texts.
        let others = codes.filter { $0 != .invalidRequest }
        let schemas =
            (isInvalid ? [ErrorBody<[Fault]>.schema(named: "ValidationError", codes: [.invalidRequest])] : [])
            + (others.isEmpty ? [] : [ErrorBody<String>.schema(named: "\(name)Error", codes: others)])
        let schema = Schema.any(of: schemas)
        components.add(schema)
        components.add(Problem.schema)
        let fault = Fault(location: [.name("body"), .name("max_load")], misfit: .tooLow(1))
        let answer = isInvalid ? ErrorAnswer(Refusal.invalid([fault])) : ErrorAnswer(code: codes[0])
        var all: [AnswerHeader] = [.vary]
        if status == .methodNotAllowed { all.append(.allow) }
        if status == .unauthorized { all.append(.wwwAuthenticate) }
        if codes.contains(where: \.mayBeRetried) { all.append(.retryAfter) }
        return [
            "description": .string(Self.words(of: codes)), "headers": headers(all),
            "content": [
                "application/json": [
                    "schema": schema.json, "example": JSON { answer.write(asProblem: false, to: &$0) },
                ],
                "application/problem+json": [
                    "schema": Problem.schema.json, "example": JSON { answer.write(asProblem: true, to: &$0) },
                ],
            ],
        ]
    }

    private mutating func headers(_ headers: [AnswerHeader]) -> JSON {
        .object(
            (headers + [.requestID]).map { header in
                JSON.Member(name: header.name, value: components.refer(to: .headers, header.component, header.json))
            })
    }

    private static func byStatus(_ codes: [ErrorCode]) -> [(HTTPResponse.Status, [ErrorCode])] {
        Dictionary(grouping: ErrorCode.allCases.filter(codes.contains)) { $0.meaning.status }
            .sorted { $0.key.code < $1.key.code }.map { ($0.key, $0.value) }
    }

    private static func words(of codes: [ErrorCode]) -> String {
        codes.map { "`\($0.rawValue)`: \($0.meaning.whatHappened)" }.joined(separator: "\n\n")
    }
}

/// What a description names once and refers to.
private struct Components {
    enum Kind: String, CaseIterable { case schemas, responses, parameters, headers }

    private var named: [Kind: [JSON.Member]] = [:]

    mutating func add(_ schema: Schema) {
        for component in schema.components { add(.schemas, component.name!, component.definition) }
    }

    /// A reference to a component, which is added; what has no name stands for itself.
    mutating func refer(to kind: Kind, _ name: String?, _ definition: JSON) -> JSON {
        guard let name else { return definition }
        add(kind, name, definition)
        return Self.reference(to: kind, name)
    }

    static func reference(to kind: Kind, _ name: String) -> JSON {
        ["$ref": .string("#/components/\(kind.rawValue)/\(name)")]
    }

    func has(_ kind: Kind, _ name: String) -> Bool { named[kind]?.contains { $0.name == name } ?? false }

    private mutating func add(_ kind: Kind, _ name: String, _ definition: JSON) {
        if !has(kind, name) { named[kind, default: []].append(JSON.Member(name: name, value: definition)) }
    }

    var json: JSON {
        .object(Kind.allCases.map { JSON.Member(name: $0.rawValue, value: .object(named[$0] ?? [])) })
    }
}
