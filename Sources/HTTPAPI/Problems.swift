import HTTPTypes
import NIOCore

/// What an error means, for a person.
struct Explanation: JSONObject {
    let code: ErrorCode

    static let schemaName = "Explanation"
    static var words: String? { "What an error means." }

    static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
        visitor.member("code") { $0.code }
        visitor.member("status", "The status of the answer.") { $0.code.meaning.status.code }
        visitor.member("title") { $0.code.meaning.status.reasonPhrase }
        visitor.member("what_happened") { $0.code.meaning.whatHappened }
        visitor.member(
            "changed", "Whether anything was changed.", ["enum": ["nothing", "unknown"]]
        ) { $0.code.changedNothing ? "nothing" : "unknown" }
        visitor.member("what_to_do") { $0.code.meaning.whatToDo }
    }

    var page: ByteBuffer {
        let meaning = code.meaning
        return ByteBuffer(
            pageTitled: code.rawValue,
            body: """
                <main>
                <h1>\(code.rawValue) <small class="quiet">\(meaning.status.code) \(meaning.status.reasonPhrase)</small></h1>
                <h2>What happened</h2>
                <p>\(html(meaning.whatHappened))</p>
                <h2>Was anything changed?</h2>
                <p>\(code.changedNothing ? "No." : "That is not known.")</p>
                <h2>What to do</h2>
                <p>\(html(meaning.whatToDo))</p>
                <p><a href="/docs">Documentation</a></p>
                </main>
                """)
    }

    /// The table's words, with what stands between backticks as code.
    private func html(_ words: String) -> String {
        words.split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, text in
            let text = text.map { ["&": "&amp;", "<": "&lt;", ">": "&gt;"][$0] ?? String($0) }.joined()
            return index.isMultiple(of: 2) ? text : "<code>\(text)</code>"
        }.joined()
    }
}
