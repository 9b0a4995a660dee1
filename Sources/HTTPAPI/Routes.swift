import CRM
import HTTPTypes
import Hummingbird
import Model
import NIOCore
import Prometheus

extension Route {
    /// Everything that the API answers. `GET` includes `HEAD`.
    static let all: [Route] = operators + sources + contacts + leads + service

    private static let operators = [
        Route(.post, "/api/v1/operators", "create_operator") { api, input in
            let new = input.body { NewOperator(&$0) }
            try input.check()
            let created = try await api.crm.createOperator(name: new.name, isActive: new.isActive, maxLoad: new.maxLoad)
            return .json(created, status: .created)
        },
        Route(.get, "/api/v1/operators", "list_operators") { api, input in
            let page = input.page()
            try input.check()
            return try await input.list(page, by: \.id.rawValue) { try await api.crm.operators($0) }
        },
        Route(.get, "/api/v1/operators/{operator_id}", "get_operator") { api, input in
            let id: OperatorID = input.id("operator_id")
            try input.check()
            return .json(try await api.crm.operatorWith(id))
        },
        Route(.patch, "/api/v1/operators/{operator_id}", "update_operator") { api, input in
            let id: OperatorID = input.id("operator_id")
            let patch = input.body { OperatorPatch(&$0) }
            try input.check()
            return .json(try await api.crm.updateOperator(id, patch))
        },
    ]

    private static let sources = [
        Route(.post, "/api/v1/sources", "create_source") { api, input in
            let new = input.body { NewSource(&$0) }
            try input.check()
            let created = try await api.crm.createSource(name: new.name, description: new.description)
            return .json(created, status: .created)
        },
        Route(.get, "/api/v1/sources", "list_sources") { api, input in
            let page = input.page()
            try input.check()
            return try await input.list(page, by: \.id.rawValue) { try await api.crm.sources($0) }
        },
        Route(.get, "/api/v1/sources/{source_id}", "get_source") { api, input in
            let id: SourceID = input.id("source_id")
            try input.check()
            return .json(try await api.crm.source(id))
        },
        Route(.patch, "/api/v1/sources/{source_id}", "update_source") { api, input in
            let id: SourceID = input.id("source_id")
            let patch = input.body { SourcePatch(&$0) }
            try input.check()
            return .json(try await api.crm.updateSource(id, name: patch.name, description: patch.description))
        },
        Route(.post, "/api/v1/sources/{source_id}/distribution", "set_distribution") { api, input in
            .json(try await setDistribution(api, &input, replacing: false), status: .created)
        },
        Route(.put, "/api/v1/sources/{source_id}/distribution", "replace_distribution") { api, input in
            .json(try await setDistribution(api, &input, replacing: true))
        },
        Route(.get, "/api/v1/sources/{source_id}/distribution", "get_distribution") { api, input in
            let id: SourceID = input.id("source_id")
            let page = input.page()
            try input.check()
            return try await input.list(page, by: \.id) { try await api.crm.distribution(of: id, $0) }
        },
    ]

    private static func setDistribution(
        _ api: HTTPAPI, _ input: inout Input, replacing: Bool
    ) async throws -> [OperatorSourceWeight] {
        let id: SourceID = input.id("source_id")
        let weights = input.body { Weights(&$0) }
        try input.check()
        if let other = weights.sources.first(where: { $0 != id }) {
            throw Refusal.differentSource(inBody: other, inPath: id)
        }
        return try await api.crm.setDistribution(of: id, weights.assignments, replacing: replacing)
    }

    private static let contacts = [
        Route(.post, "/api/v1/contacts", "register_contact") { api, input in
            let new = input.body { NewContact(&$0) }
            try input.check()
            return .json(try await api.crm.register(new), status: .created)
        },
        Route(.get, "/api/v1/contacts", "list_contacts") { api, input in
            let page = input.page()
            var filter = ContactFilter()
            filter.status = input.query("status", .status)
            filter.operatorID = input.query("operator_id", .id())
            filter.sourceID = input.query("source_id", .id())
            filter.leadID = input.query("lead_id", .id())
            filter.waiting = input.query("waiting", .boolean) ?? false
            try input.check()
            return try await input.list(page, by: \.contact.id.rawValue) { [filter] in
                try await api.crm.contacts(filter, $0)
            }
        },
        Route(.get, "/api/v1/contacts/stats/distribution", "count_contacts") { api, input in
            try input.check()
            return .json(try await api.crm.distributionCounts())
        },
        Route(.get, "/api/v1/contacts/{contact_id}", "get_contact") { api, input in
            let id: ContactID = input.id("contact_id")
            try input.check()
            return .json(try await api.crm.contact(id))
        },
        Route(.patch, "/api/v1/contacts/{contact_id}", "update_contact") { api, input in
            let id: ContactID = input.id("contact_id")
            let patch = input.body { ContactPatch(&$0) }
            try input.check()
            return .json(try await api.crm.updateContact(id, patch))
        },
    ]

    private static let leads = [
        Route(.get, "/api/v1/leads", "list_leads") { api, input in
            let page = input.page()
            let filter = LeadIdentity(
                externalID: input.query("external_id", .text()),
                phone: input.query("phone", .text()),
                email: input.query("email", .text()))
            try input.check()
            return try await input.list(page, by: \.lead.id.rawValue) { try await api.crm.leads(filter, $0) }
        },
        Route(.get, "/api/v1/leads/{lead_id}", "get_lead") { api, input in
            let id: LeadID = input.id("lead_id")
            try input.check()
            let lead = try await api.crm.lead(id)
            var response = Response.json(lead)
            if lead.contacts.count < lead.contactsCount {
                response.headers[.link] = "</api/v1/contacts?lead_id=\(id)>; rel=\"related\""
            }
            return response
        },
    ]

    private static let service = [
        Route(.get, "/", "get_root") { api, input in
            let wantsPage = input.accept.quality(of: "text/html") > input.accept.quality(of: "application/json")
            var response: Response =
                wantsPage ? .html(ByteBuffer(bytes: PackageResources.home_html)) : .json(Root(version: api.version))
            response.headers[.vary] = "Accept"
            return response
        },
        Route(.get, "/health", "get_health") { _, _ in .json(Health()) },
        Route(.get, "/livez", "get_livez") { _, _ in .json(Health()) },
        Route(.get, "/readyz", "get_readyz") { api, _ in
            try await api.crm.checkReadiness()
            return .json(Health())
        },
        Route(.get, "/metrics", "get_metrics") { api, _ in
            Response(
                status: .ok, headers: [.contentType: Exposition.contentType],
                body: ResponseBody(
                    byteBuffer: ByteBuffer(string: await api.metrics.text(api.crm, version: api.version))))
        },
        Route(.get, "/openapi.json", "get_openapi") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
        },
        Route(.get, "/docs", "get_docs") { api, _ in api.documentation.swaggerUI },
        Route(.get, "/docs/assets/{file}", "get_docs_asset") { api, input in
            try api.documentation.asset(input.text("file"))
        },
        Route(.get, "/redoc", "get_redoc") { api, _ in api.documentation.redoc },
    ]
}

private struct Root: JSONEncodable {
    let version: String

    func write(to json: inout JSONWriter) {
        json.object {
            $0.member("message", "Leads CRM")
            $0.member("version", version)
            $0.member("docs", "/docs")
        }
    }
}

private struct Health: JSONEncodable {
    func write(to json: inout JSONWriter) { json.object { $0.member("status", "ok") } }
}
