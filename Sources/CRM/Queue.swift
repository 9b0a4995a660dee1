public import Model
import Store

extension CRM {
    /// The sources at which contacts wait, in id order.
    public func queues(_ page: Page) async throws -> Listing<SourceQueue> {
        Listing(elements: try await run(Fetch<SourceQueue>.list(page)))
    }

    /// Who waits at a source, in the order in which they are let in.
    ///
    /// - Throws: ``CRMError/sourceNotFound(_:)``.
    public func queue(of id: SourceID, _ page: Page) async throws -> Listing<QueuedContact> {
        let contacts = try await run(Fetch<QueuedContact>.list(at: id, page))
        if contacts.isEmpty { _ = try await source(id) }
        return Listing(elements: contacts)
    }
}
