import HTTPTypes
import Model
import NIOCore

/// How what a handler gives becomes an answer, and how that is described.
struct Answer<Output>: Sendable {
    let success: Success
    let respond: @Sendable (Output) -> Response
    /// What somebody gets who may not read what is stored; `nil`: the same.
    var respondBriefly: (@Sendable (Output) -> Response)?

    /// As a caller gets it.
    func seen(by caller: Caller) -> Self {
        guard !caller.mayRead, let respondBriefly else { return self }
        return Self(success: success, respond: respondBriefly)
    }

    static func json(
        _: Output.Type, _ words: String, status: HTTPResponse.Status = .ok, example: JSON, links: [Link] = []
    ) -> Self where Output: JSONEncodable {
        let content = Success.Content(mediaType: "application/json", schema: Output.schema, example: example)
        return Self(success: Success(status: status, words: words, links: links, content: [content])) {
            .json($0, status: status)
        }
    }
}

extension Answer where Output: Sendable {
    /// How the operation is done once, if the request has a key.
    func idempotency(_ key: IdempotencyKey?) -> Idempotency<Output>? {
        key.map { Idempotency($0) { KeptAnswer(respond($0)) } }
    }

    func response(to answered: Answered<Output>) -> Response {
        switch answered {
        case .fresh(let output): return respond(output)
        case .kept(let answer, let isReplay):
            var response = Response(answer)
            if isReplay { response.headers[.idempotencyReplayed] = "true" }
            return response
        }
    }
}

extension KeptAnswer {
    init(_ response: Response) {
        guard case .whole(let body) = response.body else { preconditionFailure("what is kept is short") }
        self.init(status: response.status.code, body: String(buffer: body))
    }
}

extension Response {
    fileprivate init(_ answer: KeptAnswer) {
        self = .json(.whole(ByteBuffer(string: answer.body)), status: .init(code: answer.status))
    }
}

extension Answer<Void> {
    /// 204, which has no body.
    static func nothing(_ words: String) -> Self {
        Self(success: Success(status: .noContent, words: words, content: [])) { _ in Response(status: .noContent) }
    }
}

extension Answer<Response> {
    /// What a handler makes itself.
    static func response(_ words: String, headers: [AnswerHeader] = [], _ content: Success.Content...) -> Self {
        Self(success: Success(status: .ok, words: words, headers: headers, content: content)) { $0 }
    }

    /// A page of a list, as ``PageRequest`` answers it.
    static func list<Element: JSONEncodable>(of _: Element.Type, _ words: String, example: JSON) -> Self {
        response(
            words, headers: [.link],
            Success.Content(mediaType: "application/json", schema: .array(of: Element.schema), example: example))
    }
}
