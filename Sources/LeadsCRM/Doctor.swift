import ArgumentParser
import CRM
import Diagnosis
import NIOCore
import NIOPosix
import Postgres

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks for what keeps an instance from serving well, and says how to mend it.",
        discussion: """
            Reads the same settings as serve, and changes nothing. One line for each thing looked at: ok, warn (it works, \
            but not as well as it should) or FAIL, what was found, and below it the command or setting that mends it. \
            Without a database URL it looks at the private PostgreSQL in .leads-crm/, if there is one.

            EXIT STATUS: 0 nothing failed, 1 something did, 64 wrong usage.
            """)

    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        var report = DoctorReport()
        report.add(contentsOf: await settingFindings())
        let configuration =
            (try? settings.crm(url: "")) ?? CRM.Configuration(connection: ConnectionConfiguration(url: ""))
        report.add(openFiles(configuration))
        if let finding = await port() { report.add(finding) }
        do {
            try await database.use { look(at: $0.url, configuration, &report) }
        } catch is DatabaseOptions.Missing {
            report.add(
                Finding(
                    .warning, "database",
                    "DATABASE_URL is not set: serve will make a private PostgreSQL in .leads-crm/",
                    remedy: "DATABASE_URL=postgresql://user:password@host:5432/database, for more than one machine"))
        }
        if report.hasFailed { throw ExitCode.failure }
    }

    private func look(at url: String, _ configuration: CRM.Configuration, _ report: inout DoctorReport) {
        var connection = configuration.connection
        connection.url = url
        Diagnosis(connection, poolSize: configuration.poolSize).run { report.add($0) }
    }

    private func settingFindings() async -> [Finding] {
        var faults: [any Error] = []
        for setting in settings.all {
            do { try setting.check() } catch { faults.append(error) }
        }
        do { _ = try await settings.documentation() } catch { faults.append(error) }
        guard !faults.isEmpty else { return [Finding(.ok, "settings", "valid")] }
        return faults.map {
            Finding(.failure, "settings", "\($0)", remedy: "leads-crm serve --help lists the settings")
        }
    }

    /// Compares the limit of open files with the requests that may wait: each has a connection, which is an open file.
    private func openFiles(_ configuration: CRM.Configuration) -> Finding {
        let limit = openFileLimit()
        let needed = configuration.queueLimit + configuration.poolSize + 64
        let text = "this shell allows \(limit)"
        guard limit < needed else { return Finding(.ok, "open files", text) }
        return Finding(
            .warning, "open files", "\(text): fewer than QUEUE_LIMIT requests can wait at once",
            remedy: "ulimit -n 65536 (systemd: LimitNOFILE=65536), or QUEUE_LIMIT=\(max(1, limit / 2))")
    }

    /// Tries to listen on the address; `nil` if a setting is wrong, which has a finding of its own.
    private func port() async -> Finding? {
        guard let host = try? settings.host.value(), let port = try? settings.port.value() else { return nil }
        let place = ListeningPlace(host: host, port: port)
        do {
            try await place.prepare()
            if case .port(let host, let port) = place {
                let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .bind(host: host, port: port).get()
                try await channel.close()
            }
            return Finding(.ok, "address", "\(place) is free")
        } catch {
            let refusal = error as? AddressRefused ?? AddressRefused(place, error)
            return Finding(refusal.isTaken ? .warning : .failure, "address", refusal.found, remedy: refusal.remedy)
        }
    }
}

/// Prints findings as they come.
private struct DoctorReport {
    private(set) var hasFailed = false

    mutating func add(contentsOf findings: [Finding]) { for finding in findings { add(finding) } }

    mutating func add(_ finding: Finding) {
        hasFailed = hasFailed || finding.level == .failure
        let level = finding.level.rawValue + String(repeating: " ", count: 4 - finding.level.rawValue.count)
        let subject = finding.subject + String(repeating: " ", count: max(0, 12 - finding.subject.count))
        print("\(coloured(level, finding.level))  \(subject)  \(finding.found)")
        if let remedy = finding.remedy { print("                    → \(remedy)") }
        fflush(nil)
    }

    private func coloured(_ text: String, _ level: Finding.Level) -> String {
        guard OutputStream.standardOutput.hasColours else { return text }
        // Green, yellow, red: ECMA-48, SGR 32, 33, 31.
        let colour = [.ok: 32, .warning: 33, .failure: 31][level]!
        return "\u{1b}[\(colour)m\(text)\u{1b}[0m"
    }
}
