import CRM
import Model
public import Prometheus

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What `/metrics` tells.
public struct MetricsPage: Sendable {
    /// Everything that the service records through swift-metrics.
    public static let families = AssignmentMetrics.families + [RequestMetrics.family, AccessControl.family]

    let registry: PrometheusRegistry
    /// The most operators that are told one by one.
    let operatorLimit: Int
    private let startTime = seconds(CLOCK_REALTIME)

    /// - Parameters:
    ///   - registry: What the service records in; made of ``families``.
    ///   - operatorLimit: The most operators whose load is told, the fullest first.
    public init(_ registry: PrometheusRegistry = PrometheusRegistry(families), operatorLimit: Int = 100) {
        self.registry = registry
        self.operatorLimit = operatorLimit
    }

    /// The page. Without a database it tells less, not nothing.
    func text(_ crm: CRM, version: String) async -> String {
        let desk = try? await crm.workload(operatorLimit: operatorLimit)
        var page = Exposition()
        registry.write(to: &page)
        writeInstance(crm, version, to: &page)
        page.gauge("leads_crm_database_up", "Whether the database answered just now.", desk == nil ? 0 : 1)
        if let desk { write(desk, to: &page) }
        return page.text
    }

    private func writeInstance(_ crm: CRM, _ version: String, to page: inout Exposition) {
        page.family("leads_crm_build_info", .gauge, "Always 1; the labels tell what runs.")
        page.sample("leads_crm_build_info", [("version", version)], value: 1)
        page.gauge("leads_crm_queue_length", "Commands that wait for the next transaction.", crm.waitingCommands)
        page.gauge(
            "leads_crm_parked_commands", "Commands that wait for rows which somebody else keeps locked.",
            crm.parkedCommands)
        let pool = crm.poolUse
        page.gauge("leads_crm_pool_size", "Connections for reads, at most.", pool.size)
        page.gauge("leads_crm_pool_busy", "Connections that run a read now.", pool.busy)
        page.gauge("leads_crm_pool_queue_length", "Requests that wait for such a connection.", pool.waiting)

        page.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", startTime)
        page.family("process_cpu_seconds_total", .counter, "Processor time used, in seconds.")
        page.sample("process_cpu_seconds_total", value: seconds(CLOCK_PROCESS_CPUTIME_ID))
        if let memory = residentMemory() {
            page.gauge("process_resident_memory_bytes", "Resident memory, in bytes.", memory)
        }
    }

    private func write(_ desk: Workload, to page: inout Exposition) {
        page.gauge(
            "leads_crm_predicate_locks",
            "Predicate locks of SERIALIZABLE transactions, in all databases of the cluster.",
            desk.predicateLocks)
        if let old = desk.oldSnapshot {
            page.family(
                "leads_crm_oldest_snapshot_age_transactions", .gauge,
                "The session whose open transaction keeps predicate locks and dead rows, if over 1,000 transactions have begun since."
            )
            page.sample(
                "leads_crm_oldest_snapshot_age_transactions", [("process", "\(old.process)"), ("user", old.user)],
                value: old.age)
        }
        page.gauge("leads_crm_load", "Active contacts that operators hold.", desk.load)
        page.gauge("leads_crm_capacity", "The limits of all active operators together.", desk.capacity)
        page.family("leads_crm_operator_load", .gauge, "Active contacts of an operator, for the fullest operators.")
        for load in desk.loads {
            page.sample("leads_crm_operator_load", [("operator_id", "\(load.operatorID)")], value: load.currentLoad)
        }
        page.family("leads_crm_operator_max_load", .gauge, "The limit of an operator, for the fullest operators.")
        for load in desk.loads {
            page.sample("leads_crm_operator_max_load", [("operator_id", "\(load.operatorID)")], value: load.maxLoad)
        }
        page.family("leads_crm_waiting_contacts", .gauge, "Contacts that wait for an operator, by source.")
        for waiting in desk.waiting {
            page.sample("leads_crm_waiting_contacts", [("source_id", "\(waiting.sourceID)")], value: waiting.count)
        }
        page.family("leads_crm_oldest_waiting_age_seconds", .gauge, "How long the oldest waits already, by source.")
        for waiting in desk.waiting {
            let labels = [("source_id", "\(waiting.sourceID)")]
            page.sample("leads_crm_oldest_waiting_age_seconds", labels, value: waiting.oldestAge)
        }
    }
}

private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// In bytes; `nil` where there is no `/proc` (proc(5), `statm`: the second number is in pages).
private func residentMemory() -> Int? {
    guard let file = fopen("/proc/self/statm", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, Int32(line.count), file) != nil else { return nil }
    let numbers = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(
        separator: " ")
    return numbers.count > 1 ? Int(numbers[1]).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) } : nil
}
