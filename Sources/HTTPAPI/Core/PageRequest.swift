import HTTPTypes
import Model

/// Which part of a list a request asks for.
struct PageRequest {
    let page: Page
    /// What the request was, from which the link to the next page is made.
    let path: String
    let query: [QueryItem]

    /// Answers the page, which ends at its limit or at its size, with a link to the next if there is one.
    ///
    /// - Parameters:
    ///   - id: What the list is ordered by.
    ///   - fetch: Gets a page that is longer by one element, which tells whether there are more.
    func answer<Element: JSONEncodable>(
        by id: (Element) -> Int64, fetch: (Page) async throws -> Listing<Element>
    ) async throws -> Response {
        let listing = try await fetch(Page(limit: page.limit + 1, after: page.after))
        let (body, count) = JSONPieces.body(of: listing.elements.prefix(page.limit), upTo: Page.sizeLimit)
        var response = Response.json(body)
        if count < listing.elements.count || listing.goesOn, let last = listing.elements.prefix(count).last {
            let query = query.filter { $0.name != "after" } + [QueryItem(name: "after", value: String(id(last)))]
            // RFC 8288; relative, because the client alone knows by which name it reaches the service.
            response.headers[.link] = "<\(path)?\(QueryItem.text(query))>; rel=\"next\""
        }
        return response
    }
}

extension HTTPField.Name {
    static let link = HTTPField.Name("Link")!
}
