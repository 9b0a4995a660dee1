import CRM
import HTTPTypes
import Model

extension Route {
    static let previewDistribution = Route(
        .post, "/api/v1/sources/{source_id}/distribution/preview", "preview_distribution", scope: .read,
        "Preview who would get what",
        """
        Who would get how many of the source's next contacts, as things are: with today's loads and limits, behind those who \
        wait, by the code that decides. Nothing is changed. Where chance decides it is one of the possible outcomes.
        """,
        errors: [.sourceNotFound, .operatorNotFound, .sourceMismatch],
        reads: { PreviewRequest(id: $0.sourceID(), body: $0.body(PreviewBody.self, example: ["count": 100])) },
        answers: .json(
            DistributionPreview.self, "Everybody who has a weight, by id.", example: DistributionPreview.example)
    ) { api, input in
        try await api.crm.previewDistribution(
            of: input.id, count: input.body.count,
            weights: input.body.weights.map { weights in
                try DistributionRequest(id: input.id, weights: weights).checked()
            }, strategy: input.body.strategy)
    }
}

private struct PreviewRequest: Sendable {
    let id: SourceID
    let body: PreviewBody
}

private struct PreviewBody: JSONReadable {
    let count: Int
    let weights: [NewWeight]?
    let strategy: Strategy?

    static let schemaName = "DistributionPreviewRequest"

    init(_ fields: inout Fields) {
        count = Int(
            fields.required("count", .integer(in: 1...100_000), "How many contacts are to come.") as Int32)
        weights = fields.optionalList(
            "operator_weights", of: NewWeight.self, upTo: 10_000,
            "As if these had been set in place of all weights; absent: as they are.")
        strategy = fields.optional("strategy", .word)
    }
}

extension DistributionPreview: JSONObject {
    static var schemaName: String { "DistributionPreview" }
    static var words: String? { "Who would get how many of a source's next contacts." }

    static var example: JSON {
        [
            "assigned": [
                ["operator_id": 1, "operator_name": "Иван Иванов", "count": 7, "expected_percent": 25],
                ["operator_id": 2, "operator_name": "Анна Петрова", "count": 20, "expected_percent": 75],
            ], "waiting": 73,
        ]
    }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("assigned", "Everybody who has a weight, by id.") { $0.assigned }
        visitor.member("waiting", "How many of them would wait.", ["minimum": 0]) { $0.waiting }
    }
}

extension DistributionPreview.Part: JSONObject {
    static var schemaName: String { "DistributionPreviewPart" }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("operator_id", "The operator.") { $0.operatorID }
        visitor.member("operator_name") { $0.operatorName }
        visitor.member("count", "How many the operator would get.", ["minimum": 0]) { $0.count }
        visitor.member("expected_percent", "The weight in percent of the sum of weights.") { $0.expectedPercent }
    }
}
