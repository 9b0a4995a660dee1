import Logging
import Store

/// Does what is due of jobs. Of all instances on a database one does a job at a time.
struct Maintenance: Sendable {
    let crm: CRM
    let jobs: [MaintenanceJob]
    let logger: Logger

    /// Runs until the task is cancelled.
    func run() async {
        repeat {
            for job in jobs {
                do {
                    guard try await crm.run(ClaimMaintenance(job.name, every: job.interval)) else { continue }
                    while try await crm.run(Maintain(job)), !Task.isCancelled {}
                } catch {
                    logger.debug("maintenance put off: \(error)")
                }
            }
            // At random times, so that instances that were started together do not come together.
        } while (try? await Task.sleep(for: .seconds(.random(in: 5...10)))) != nil
    }
}
