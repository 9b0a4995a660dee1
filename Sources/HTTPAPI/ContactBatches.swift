import CRM
import HTTPTypes
import Model
import NIOCore

extension Route {
    static let registerContacts = Route(
        .post, "/api/v1/contacts/batch", "register_contacts", scope: .register, "Register many contacts",
        """
        As many calls of `POST /api/v1/contacts` in the order of the list, which is also their order in the queue; one that \
        fails spoils no other. With an `Idempotency-Key` each entry counts once by its index: the same call again registers \
        what was not registered before.
        """,
        errors: [], bodyLimit: 8 << 20,
        reads: {
            let batch = $0.body(
                ContactBatch.self,
                example: ["contacts": [["source_id": 1, "lead_phone": "+79001234567"], ["source_id": 7]]])
            return (entries: batch.entries(allowedTo: $0.caller), caller: $0.caller)
        },
        answers: Answer(
            success: Success(
                status: .ok, words: "What became of each entry, in the order of the request.",
                content: [
                    Success.Content(
                        mediaType: "application/json", schema: BatchAnswer.schema, example: BatchAnswer.example)
                ])
        ) { (answer: BatchAnswer) in
            var response = Response.json(answer)
            if answer.isReplay { response.headers[.idempotencyReplayed] = "true" }
            return response
        }
    ) { api, batch, idempotency in
        let contacts = batch.entries.enumerated().compactMap { index, entry in
            (try? entry.get()).map {
                (contact: $0, idempotency: idempotency.map { entryKey($0.key, index, batch.caller) })
            }
        }
        let results = try await api.crm.register(contacts)
        // It is the whole call's key.
        for case .failure(CRMError.idempotencyKeyReused) in results { throw CRMError.idempotencyKeyReused }
        // What none could have now, the call has not.
        if results.allSatisfy({ (try? $0.get()) == nil }) {
            let reasons = results.compactMap { result -> CRMError.Unavailable? in
                if case .failure(CRMError.unavailable(let reason)) = result { reason } else { nil }
            }
            if let reason = reasons.first(where: { $0 == .outcomeUnknown }) ?? reasons.first {
                throw CRMError.unavailable(reason)
            }
        }
        var registered = results.makeIterator()
        return .fresh(
            BatchAnswer(
                results: batch.entries.map { entry in
                    entry.mapError { $0 }.flatMap { _ in registered.next()! }
                }, caller: batch.caller))
    }

    private static func entryKey(
        _ key: IdempotencyKey, _ index: Int, _ caller: Caller
    ) -> Idempotency<ContactDetails> {
        Idempotency(IdempotencyKey(key.key, entry: Int32(index) + 1, fingerprint: key.fingerprint)) { details in
            var json = JSONWriter()
            details.writeRegistered(to: &json, for: caller)
            return KeptAnswer(Response.json(json, status: .created))
        }
    }
}

/// The body of a call with many contacts. What is wrong with one of them is that one's fault.
struct ContactBatch: JSONReadable {
    let entries: [Result<NewContact, Refusal>]

    static let schemaName = "ContactBatch"

    init(_ fields: inout Fields) { entries = fields.entries("contacts", of: NewContact.self, in: 1...1000) }

    /// The entries, where those fail at whose source the caller does not register.
    func entries(allowedTo caller: Caller) -> [Result<NewContact, Refusal>] {
        entries.map { entry in
            entry.flatMap { contact in
                Result { () throws(Refusal) in
                    try caller.checkRegistration(at: contact.sourceID)
                    return contact
                }
            }
        }
    }
}

/// What became of the entries of a call.
struct BatchAnswer: JSONObject {
    let results: [Result<Answered<ContactDetails>, any Error>]
    let caller: Caller

    /// Whether the call has changed nothing that an earlier one had not.
    var isReplay: Bool {
        let answers = results.compactMap { try? $0.get() }
        return !answers.isEmpty && answers.allSatisfy { if case .kept(_, isReplay: true) = $0 { true } else { false } }
    }

    private var failed: Int { results.count { if case .failure = $0 { true } else { false } } }

    static let schemaName = "ContactBatchResult"

    static var example: JSON {
        [
            "registered": 1, "failed": 1,
            "results": [
                ["status": 201, "contact": ContactDetails.example],
                ["status": 404, "error": ["detail": "Source 7 not found", "code": "source_not_found"]],
            ],
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("registered", "How many are registered, now or by an earlier call.", ["minimum": 0]) {
            $0.results.count - $0.failed
        }
        visitor.member("failed", "How many are not.", ["minimum": 0]) { $0.failed }
        visitor.member("results", "One for each entry, in their order.") { answer in
            answer.results.map { Entry(result: $0, caller: answer.caller) }
        }
    }

    struct Entry: JSONObject {
        let result: Result<Answered<ContactDetails>, any Error>
        let caller: Caller

        static let schemaName = "ContactBatchEntry"

        static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
            visitor.member("status", "As the call for this contact alone would have.") { $0.status }
            visitor.memberIfPresent("contact", "Of one that is registered.") { entry in
                (try? entry.result.get()).map { Contact(answered: $0, caller: entry.caller) }
            }
            visitor.memberIfPresent("error", "Of one that is not.") { $0.error }
        }

        private var status: Int { error?.answer.status.code ?? HTTPResponse.Status.created.code }

        private var error: EntryError? {
            if case .failure(let error) = result { EntryError(answer: ErrorAnswer(error)) } else { nil }
        }
    }

    /// A contact, or the text that is kept of it.
    struct Contact: JSONEncodable {
        let answered: Answered<ContactDetails>
        let caller: Caller

        static var schema: Schema { ContactDetails.registeredSchema }

        func write(to json: inout JSONWriter) {
            switch answered {
            case .fresh(let details): details.writeRegistered(to: &json, for: caller)
            case .kept(let answer, _): json.bytes.append(contentsOf: answer.body.utf8)
            }
        }
    }

    struct EntryError: JSONEncodable {
        let answer: ErrorAnswer

        static var schema: Schema {
            let others = ErrorCode.allCases.filter { [403, 404, 409, 500, 503].contains($0.meaning.status.code) }
            return .any(of: [
                ErrorBody<[Fault]>.schema(named: "ValidationError", codes: [.invalidRequest]),
                ErrorBody<String>.schema(named: "EntryError", codes: others),
            ])
        }

        func write(to json: inout JSONWriter) { answer.write(asProblem: false, to: &json) }
    }
}
