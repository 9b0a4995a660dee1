import HTTPTypes

/// The cause of an error, by a name that stays: `{"detail": …, "code": "operator_full"}`.
///
/// The one table of errors. Answers, `/problems` and the description are made of it.
public enum ErrorCode: String, CaseIterable, Sendable {
    case malformedRequest = "malformed_request"
    case malformedTarget = "malformed_target"
    case malformedBody = "malformed_body"
    case sourceMismatch = "source_mismatch"
    case sourceNameTaken = "source_name_taken"
    case idempotencyKeyInvalid = "idempotency_key_invalid"
    case unauthorized
    case forbidden
    case crossSite = "cross_site"
    case notFound = "not_found"
    case operatorNotFound = "operator_not_found"
    case sourceNotFound = "source_not_found"
    case contactNotFound = "contact_not_found"
    case leadNotFound = "lead_not_found"
    case weightNotFound = "weight_not_found"
    case keyNotFound = "key_not_found"
    case methodNotAllowed = "method_not_allowed"
    case operatorInactive = "operator_inactive"
    case operatorFull = "operator_full"
    case sourceShareFull = "source_share_full"
    case contactClosed = "contact_closed"
    case idempotencyInFlight = "idempotency_in_flight"
    case inUse = "in_use"
    case rejected
    case requestTimeout = "request_timeout"
    case bodyTooLarge = "body_too_large"
    case uriTooLong = "uri_too_long"
    case headersTooLarge = "headers_too_large"
    case unsupportedMediaType = "unsupported_media_type"
    case hostNotAllowed = "host_not_allowed"
    case invalidRequest = "invalid_request"
    case idempotencyKeyReused = "idempotency_key_reused"
    case rateLimited = "rate_limited"
    case internalError = "internal_error"
    case tooManyConnections = "too_many_connections"
    case queueFull = "queue_full"
    case deadline
    case databaseUnavailable = "database_unavailable"
    case databaseOverloaded = "database_overloaded"
    case readOnly = "read_only"
    case migrationsPending = "migrations_pending"
    case shuttingDown = "shutting_down"
    case outcomeUnknown = "outcome_unknown"

    struct Meaning {
        let status: HTTPResponse.Status
        /// The words of the answer; of some an example, as the answer names the record.
        let detail: String
        let whatHappened: String
        let whatToDo: String
    }

    /// Whether it is known that nothing was changed.
    var changedNothing: Bool { self != .outcomeUnknown && self != .internalError }

    /// Whether the same request may be sent again without counting twice, and has a chance.
    var mayBeRetried: Bool {
        [.serviceUnavailable, .tooManyRequests].contains(meaning.status) && changedNothing
    }

    var meaning: Meaning {
        switch self {
        case .malformedRequest:
            Meaning(
                status: .badRequest, detail: "The request is not valid HTTP",
                whatHappened: """
                    What came is no HTTP/1.1 or HTTP/1.0, or could be read in more than one way: two lengths, a length and \
                    chunks, two `Host`. The connection is closed.
                    """,
                whatToDo: "Let a library of HTTP write the request.")
        case .malformedTarget:
            Meaning(
                status: .badRequest, detail: "The URL is not correctly percent-encoded",
                whatHappened: "The path or the query has a `%` without two hexadecimal digits, or is no UTF-8.",
                whatToDo: "Encode names and values as UTF-8, then percent-encode them.")
        case .malformedBody:
            Meaning(
                status: .badRequest, detail: "There was an error reading the body",
                whatHappened: "The body was cut into too many chunks. The connection is closed.",
                whatToDo: "Send it whole, or in chunks of some kilobytes.")
        case .sourceMismatch:
            Meaning(
                status: .badRequest, detail: "source_id 8 in the body differs from 7 in the path",
                whatHappened: "The body names another source than the path.",
                whatToDo: "Leave `source_id` out of the body, or name the source of the path.")
        case .sourceNameTaken:
            Meaning(
                status: .badRequest, detail: "Source with name 'Telegram Bot #1' already exists",
                whatHappened: "Another source has this name.", whatToDo: "Choose another name.")
        case .idempotencyKeyInvalid:
            Meaning(
                status: .badRequest, detail: "Idempotency-Key must be 1 to 255 visible ASCII characters",
                whatHappened: "`Idempotency-Key` is empty, too long, there twice, or has other characters.",
                whatToDo: "Send a UUID, for example, bare or in quotation marks.")
        case .unauthorized:
            Meaning(
                status: .unauthorized, detail: "A key is needed: Authorization: Bearer lcrm_…",
                whatHappened: "There is no key, or it is misspelt, revoked, or its time is over (`AUTH`).",
                whatToDo: "Send `Authorization: Bearer` with a key. `leads-crm keys create` makes one.")
        case .forbidden:
            Meaning(
                status: .forbidden, detail: "The key does not have the scope register",
                whatHappened: "The key is good, and does not allow this: another scope is needed, or another source.",
                whatToDo: "Use a key with the scope that the answer names.")
        case .crossSite:
            Meaning(
                status: .forbidden, detail: "A page of another site may not change anything here",
                whatHappened: "A browser sent it for a page of another origin, as `Sec-Fetch-Site` or `Origin` tells.",
                whatToDo: """
                    Call the service from a page of its own or from a program. A proxy in front must pass `Host` on.
                    """)
        case .notFound:
            Meaning(
                status: .notFound, detail: "Not Found", whatHappened: "There is nothing at this path.",
                whatToDo: "Compare the path with the documentation: a slash at its end makes another.")
        case .operatorNotFound:
            Meaning(
                status: .notFound, detail: "Operator 7 not found", whatHappened: "No operator has this id.",
                whatToDo: "Take an id from `GET /api/v1/operators`.")
        case .sourceNotFound:
            Meaning(
                status: .notFound, detail: "Source 7 not found", whatHappened: "No source has this id.",
                whatToDo: "Take an id from `GET /api/v1/sources`.")
        case .contactNotFound:
            Meaning(
                status: .notFound, detail: "Contact 7 not found", whatHappened: "No contact has this id.",
                whatToDo: "Take an id from `GET /api/v1/contacts`.")
        case .leadNotFound:
            Meaning(
                status: .notFound, detail: "Lead 7 not found", whatHappened: "No lead has this id.",
                whatToDo: "Take an id from `GET /api/v1/leads`.")
        case .weightNotFound:
            Meaning(
                status: .notFound, detail: "Operator 7 has no weight at source 1",
                whatHappened: "The operator does not take contacts of this source.",
                whatToDo: "Take an operator from `GET /api/v1/sources/{id}/distribution`.")
        case .keyNotFound:
            Meaning(
                status: .notFound, detail: "Key 'a1B2c3D4' not found", whatHappened: "No key has this id.",
                whatToDo: "Take an id from `GET /api/v1/keys`.")
        case .methodNotAllowed:
            Meaning(
                status: .methodNotAllowed, detail: "Method Not Allowed",
                whatHappened: "This path has no such method.", whatToDo: "Use one that `Allow` names.")
        case .operatorInactive:
            Meaning(
                status: .conflict, detail: "Operator 7 is not active",
                whatHappened: "The contact was to go to an operator who is not active.",
                whatToDo: "Activate the operator, or choose another.")
        case .operatorFull:
            Meaning(
                status: .conflict, detail: "Operator 7 has no room for another contact",
                whatHappened: "The contact was to go to an operator who holds `max_load` active contacts already.",
                whatToDo: "Choose another operator, close one of this one's contacts, or raise `max_load`.")
        case .sourceShareFull:
            Meaning(
                status: .conflict, detail: "Operator 7 has no room for another contact of source 1",
                whatHappened: """
                    The contact was to go to an operator who holds as many active contacts of its source as the weight's \
                    `max_load` there allows.
                    """,
                whatToDo: """
                    Choose another operator, close one of this one's contacts of the source, or raise `max_load` in the source's \
                    distribution.
                    """)
        case .contactClosed:
            Meaning(
                status: .conflict, detail: "Contact 7 is closed",
                whatHappened: "A closed contact was to go to an operator.",
                whatToDo: "Reopen it with `{\"status\": \"active\"}` first, or in the same request.")
        case .idempotencyInFlight:
            Meaning(
                status: .conflict, detail: "The first request with this Idempotency-Key is still under way",
                whatHappened: "The same request was sent before, and was not answered within `REQUEST_TIMEOUT`.",
                whatToDo: "Send it again with the same key: it gets the first one's answer once there is one.")
        case .inUse:
            Meaning(
                status: .conflict, detail: "Operator 7 has or had contacts",
                whatHappened: """
                    What was to be deleted has contacts, or had some that were transferred since: their history tells of it.
                    """,
                whatToDo: """
                    Keep it. Set an operator's `is_active` to false; take all operators from a source with an empty \
                    distribution.
                    """)
        case .rejected:
            Meaning(
                status: .conflict, detail: "The change conflicts with what is stored and was not made",
                whatHappened: "A rule of the database forbids this change.",
                whatToDo: "Read the record again, and change what it allows.")
        case .requestTimeout:
            Meaning(
                status: .requestTimeout, detail: "The request came too slowly",
                whatHappened: """
                    The head of the request took more than 10 seconds, or its body more than 30, or the body came at less than \
                    1 KiB a second. The connection is closed.
                    """,
                whatToDo: "Send it again, without pauses.")
        case .bodyTooLarge:
            Meaning(
                status: .contentTooLarge, detail: "The body must not be larger than 1 MiB",
                whatHappened: "The body is larger than 1 MiB, or 8 MiB for many contacts.",
                whatToDo: "Send less at once.")
        case .uriTooLong:
            Meaning(
                status: .uriTooLong, detail: "The URL must not be longer than 16 KiB",
                whatHappened: "Path and query are longer than 16 KiB.", whatToDo: "Filter by fewer or shorter values.")
        case .headersTooLarge:
            Meaning(
                status: .requestHeaderFieldsTooLarge, detail: "The headers must not be larger than 64 KiB",
                whatHappened:
                    "The headers of the request, or its URL, are larger than 64 KiB, or the headers more than 256.",
                whatToDo: "Send fewer or shorter ones; cookies mean nothing here.")
        case .unsupportedMediaType:
            Meaning(
                status: .unsupportedMediaType, detail: "The body must be application/json",
                whatHappened: "The body is not declared as JSON.", whatToDo: "Send `Content-Type: application/json`.")
        case .hostNotAllowed:
            Meaning(
                status: .misdirectedRequest, detail: "The service does not go by the name in Host; see ALLOWED_HOSTS",
                whatHappened: "The service does not go by the name in `Host` (`ALLOWED_HOSTS`).",
                whatToDo: "Call it by one of its names, or add this one to `ALLOWED_HOSTS`.")
        case .invalidRequest:
            Meaning(
                status: .unprocessableContent, detail: "The request is not valid; see errors",
                whatHappened: """
                    The body or a parameter does not fit, or the query has a parameter that the operation does not have. \
                    Up to 100 faults are listed; if there are more, one entry of type `too_many_errors` says so.
                    """,
                whatToDo: "Mend what the list names: `loc` says where, `msg` what.")
        case .idempotencyKeyReused:
            Meaning(
                status: .unprocessableContent, detail: "The Idempotency-Key was used for another request",
                whatHappened: "An earlier request with this key had another method, path or body.",
                whatToDo: "Take a new key for each request that is not a repetition.")
        case .rateLimited:
            Meaning(
                status: .tooManyRequests, detail: "Too many requests; try again",
                whatHappened: """
                    The key has a `rate_limit`, in requests a second at each instance. Or too many bad keys came from this address.
                    """,
                whatToDo: "Send it again after `Retry-After` seconds, and more slowly: `RateLimit` says what is left.")
        case .internalError:
            Meaning(
                status: .internalServerError, detail: "Internal Server Error",
                whatHappened: "The service has a fault of its own.",
                whatToDo: "Look the answer's `X-Request-ID` up in the log, and report it.")
        case .tooManyConnections:
            Meaning(
                status: .serviceUnavailable, detail: "There are too many connections; try again",
                whatHappened: "The instance has `CONNECTION_LIMIT` connections, all of them busy.",
                whatToDo: """
                    Send it again after `Retry-After` seconds, and keep connections open instead of opening one for each \
                    request.
                    """)
        case .queueFull:
            Meaning(
                status: .serviceUnavailable, detail: "Too many requests are waiting; try again",
                whatHappened: "More comes in than the database commits, and `QUEUE_LIMIT` requests wait already.",
                whatToDo: "Send it again after `Retry-After` seconds, and more slowly if it happens often.")
        case .deadline:
            Meaning(
                status: .serviceUnavailable,
                detail: "The request could not be completed in time and changed nothing; try again",
                whatHappened: "The request was not done within `REQUEST_TIMEOUT`.",
                whatToDo:
                    "Send it again after `Retry-After` seconds. Somebody may hold a lock, or the disk stand still.")
        case .databaseUnavailable:
            Meaning(
                status: .serviceUnavailable, detail: "The database is not available; try again",
                whatHappened: "There is no connection to PostgreSQL, or it cannot do this now.",
                whatToDo: "Send it again after `Retry-After` seconds. `leads-crm doctor` says what is wrong.")
        case .databaseOverloaded:
            Meaning(
                status: .serviceUnavailable, detail: "The database has no room for this now; try again",
                whatHappened: "PostgreSQL is out of memory, disk space, connections or locks.",
                whatToDo: "Send it again after `Retry-After` seconds. `leads-crm doctor` says what is wrong.")
        case .readOnly:
            Meaning(
                status: .serviceUnavailable, detail: "The database is read-only",
                whatHappened: "The instance reaches a standby only.",
                whatToDo: "Wait for the failover, or name all hosts in `DATABASE_URL`.")
        case .migrationsPending:
            Meaning(
                status: .serviceUnavailable, detail: "The database lacks migrations of this version",
                whatHappened: "The database is older than the program.",
                whatToDo: "Run `leads-crm migrate` as the role that owns the tables.")
        case .shuttingDown:
            Meaning(
                status: .serviceUnavailable, detail: "The service is shutting down",
                whatHappened: "The instance ends and takes no more requests.",
                whatToDo: "Send it again: another instance answers.")
        case .outcomeUnknown:
            Meaning(
                status: .serviceUnavailable,
                detail: "The database did not confirm in time; the change may or may not have been made",
                whatHappened: "The connection to the database broke while the change was committed.",
                whatToDo: """
                    With an `Idempotency-Key`, send it again with the same key. Without, look whether the change was made \
                    first: it could count twice.
                    """)
        }
    }
}
