import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A request that registers contacts: one, or a batch.
struct Registration: Sendable, Equatable {
    struct Contact: Sendable, Equatable {
        let source: Int64
        /// The number of the lead, whose phone ends with it.
        let lead: Int
        /// 0 to 9; `nil` is not sent.
        let priority: Int?
    }

    /// When a request is sent a second time.
    enum Repetition: Sendable {
        /// At once, over another connection if one is free.
        case atOnce
        /// After its answer.
        case afterwards
    }

    /// The number of the first contact, from which the others count on. No other request of the run has it.
    let number: Int64
    let contacts: [Contact]
    var hasKey = false
    /// `nil`: it is sent once, unless its outcome is unknown.
    var repetition: Repetition?

    var isBatch: Bool { contacts.count > 1 }

    /// A message ends with the contact's number.
    private static let message = "Хочу узнать о продукте"

    /// The number of the contact with this message.
    static func number(in message: String?) -> Int64? {
        message.flatMap { $0.split(separator: " ").last }.flatMap { Int64($0) }
    }
}

/// A request as HTTP has it.
struct Message {
    let method: HTTPMethod
    let path: String
    var key: String?
    let body: String
}

extension Traffic.Request {
    /// - Parameter prefix: The beginning of the phones and keys of the worker that sends it, and of no other's.
    func message(prefix: String) -> Message {
        switch self {
        case .register(let registration): registration.message(prefix: prefix)
        case .close(let contact):
            Message(method: .PATCH, path: "/api/v1/contacts/\(contact)", body: #"{"status":"closed"}"#)
        }
    }
}

extension Registration {
    fileprivate func message(prefix: String) -> Message {
        let entries = zip(number..., contacts).map { number, contact in
            """
            {"source_id":\(contact.source),"lead_phone":"\(prefix)\(contact.lead)","lead_name":"Петр Петров",\
            "message":"\(Self.message) \(number)"\(contact.priority.map { #","priority":\#($0)"# } ?? "")}
            """
        }
        return Message(
            method: .POST, path: isBatch ? "/api/v1/contacts/batch" : "/api/v1/contacts",
            key: hasKey ? "\(prefix)-\(number)" : nil,
            body: isBatch ? #"{"contacts":[\#(entries.joined(separator: ","))]}"# : entries[0])
    }
}

/// What an answer says of a registration's contacts.
struct Receipt {
    /// Of those that are registered.
    private(set) var ids: [Int64] = []
    /// How many may be registered or not.
    private(set) var unknown = 0
    /// Whether the answer to a batch has a result for each contact, in their order, and sums up.
    private(set) var isOrdered = true

    init(_ registration: Registration, answered status: Int, _ body: ByteBuffer) {
        let contacts = registration.contacts
        switch status {
        // 409: another request with the key is under way.
        case 409, 500...: unknown = contacts.count
        case 201 where !registration.isBatch:
            if let id = body.withUnsafeReadableBytes({ topLevelID(of: $0) }) { ids = [id] }
        case 200 where registration.isBatch:
            guard let answer = try? JSONDecoder().decode(BatchAnswer.self, from: Data(body.readableBytesView)) else {
                isOrdered = false
                break
            }
            ids = answer.results.compactMap(\.contact?.id)
            unknown = answer.results.count { $0.status >= 500 }
            let places = zip(registration.number..., answer.results)
            isOrdered =
                answer.results.count == contacts.count && answer.registered == ids.count
                && answer.registered + answer.failed == contacts.count
                && places.allSatisfy { $1.contact.map { Registration.number(in: $0.message) } ?? $0 == $0 }
        default: break
        }
    }
}

/// The answer to a batch.
private struct BatchAnswer: Decodable {
    struct Result: Decodable {
        let status: Int
        let contact: API.Contact?
    }

    let registered: Int
    let failed: Int
    let results: [Result]
}
