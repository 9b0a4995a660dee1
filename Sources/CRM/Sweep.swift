import Store

/// Lets in who waits beside room that no command of an instance made: psql closed contacts or raised a limit, or an
/// instance died between the parts of an admission.
struct Sweep: Sendable {
    let crm: CRM
    let interval: Duration

    /// Runs until the task is cancelled. Where nobody waits it only reads; of all instances on a database one sweeps at a
    /// time.
    func run() async {
        // Twice in an interval, so that one that is not yet due does not make it two.
        while (try? await Task.sleep(for: interval / 2)) != nil {
            guard let sources = try? await crm.run(Fetch.backlog()), !sources.isEmpty,
                (try? await crm.run(ClaimMaintenance("sweep", every: interval / 2))) == true
            else { continue }
            crm.admitWaiting(at: sources)
        }
    }
}
