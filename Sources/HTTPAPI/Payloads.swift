import CRM
import Model
import Postgres

extension NewContact {
    init(_ fields: inout Fields) {
        self.init(
            sourceID: fields.required("source_id", .id()),
            identity: LeadIdentity(
                externalID: fields.optional("lead_external_id", .text(upTo: 255)),
                phone: fields.optional("lead_phone", .text(upTo: 64)),
                email: fields.optional("lead_email", .text(upTo: 320))),
            leadName: fields.optional("lead_name", .text(upTo: 255)),
            message: fields.optional("message", .text(upTo: 65_536)))
    }
}

extension ContactPatch {
    init(_ fields: inout Fields) {
        self.init(
            status: fields.optional("status", .status),
            operatorID: fields.optional("operator_id", .id()),
            message: fields.optional("message", .text(upTo: 65_536)))
    }
}

extension OperatorPatch {
    init(_ fields: inout Fields) {
        self.init(
            name: fields.optional("name", .text(upTo: 255)),
            isActive: fields.optional("is_active", .boolean),
            maxLoad: fields.optional("max_load", .count))
    }
}

/// The body of a new operator.
struct NewOperator {
    let name: String
    let isActive: Bool
    let maxLoad: Int32

    init(_ fields: inout Fields) {
        name = fields.required("name", .text(upTo: 255))
        isActive = fields.required("is_active", .boolean, default: true)
        maxLoad = fields.required("max_load", .count, default: 10)
    }
}

/// The body of a new source.
struct NewSource {
    let name: String
    let description: String?

    init(_ fields: inout Fields) {
        name = fields.required("name", .text(upTo: 255))
        description = fields.optional("description", .text(upTo: 4096))
    }
}

/// What to change of a source; `nil` leaves it as it is.
struct SourcePatch {
    let name: String?
    let description: String?

    init(_ fields: inout Fields) {
        name = fields.optional("name", .text(upTo: 255))
        description = fields.optional("description", .text(upTo: 4096))
    }
}

/// The weights of a source's operators.
struct Weights {
    let assignments: [WeightAssignment]
    /// The sources named in the body, each of which must be the one in the path.
    let sources: [SourceID]

    init(_ fields: inout Fields) {
        var sources: [SourceID] = []
        assignments = fields.list("operator_weights", upTo: 10_000) { fields in
            let operatorID: OperatorID = fields.required("operator_id", .id())
            if let source: SourceID = fields.optional("source_id", .id()) { sources.append(source) }
            return WeightAssignment(
                operatorID: operatorID, weight: fields.required("weight", .count, default: 1))
        }
        self.sources = sources
    }
}

extension ID: JSONEncodable {
    func write(to json: inout JSONWriter) { rawValue.write(to: &json) }
}

extension Timestamp: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.bytes.append(UInt8(ascii: "\""))
        write(into: &json.bytes)
        json.bytes.append(UInt8(ascii: "\""))
    }
}

extension Operator: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.object {
            $0.member("id", id)
            $0.member("name", name)
            $0.member("is_active", isActive)
            $0.member("max_load", maxLoad)
            $0.member("created_at", createdAt)
            $0.member("current_load", currentLoad)
            $0.member("updated_at", updatedAt)
        }
    }
}

extension Source: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.object {
            $0.member("id", id)
            $0.member("name", name)
            $0.member("description", description)
            $0.member("created_at", createdAt)
        }
    }
}

extension OperatorSourceWeight: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.object {
            $0.member("id", id)
            $0.member("operator_id", operatorID)
            $0.member("source_id", sourceID)
            $0.member("weight", weight)
            $0.member("created_at", createdAt)
        }
    }
}

extension Lead: JSONEncodable {
    func write(to json: inout JSONWriter) { json.object { writeMembers(to: &$0) } }

    fileprivate func writeMembers(to json: inout JSONWriter) {
        json.member("id", id)
        json.member("external_id", identity.externalID)
        json.member("phone", identity.phone)
        json.member("email", identity.email)
        json.member("name", name)
        json.member("created_at", createdAt)
        json.member("updated_at", updatedAt)
    }
}

extension Contact: JSONEncodable {
    func write(to json: inout JSONWriter) { json.object { writeMembers(to: &$0) } }

    fileprivate func writeMembers(to json: inout JSONWriter) {
        json.member("id", id)
        json.member("lead_id", leadID)
        json.member("source_id", sourceID)
        json.member("operator_id", operatorID)
        json.member("status", status.rawValue)
        json.member("message", message)
        json.member("created_at", createdAt)
        json.member("updated_at", updatedAt)
    }
}

extension ContactDetails: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.object {
            contact.writeMembers(to: &$0)
            $0.member("lead", lead)
            $0.member("operator", `operator`)
            $0.member("source", source)
        }
    }
}

extension LeadWithContacts: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.object {
            lead.writeMembers(to: &$0)
            $0.member("contacts", contacts)
            $0.member("contacts_count", contactsCount)
        }
    }
}

extension DistributionCount: JSONEncodable {
    func write(to json: inout JSONWriter) {
        json.object {
            $0.member("source_id", sourceID)
            $0.member("source_name", sourceName)
            $0.member("operator_id", operatorID)
            $0.member("operator_name", operatorName)
            $0.member("contacts_count", contactsCount)
        }
    }
}
