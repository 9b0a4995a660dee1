import ArgumentParser
import CRM
import Configuration
import HTTPAPI
import Logging
import Postgres

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The environment's variables, each checked when it is read. The key `request.timeout` is `REQUEST_TIMEOUT`.
struct Settings {
    private let reader = ConfigReader(provider: EnvironmentVariablesProvider())

    /// `nil` if the variable is not set or empty.
    func string(_ key: String) -> String? {
        let value = reader.string(forKey: ConfigKey(key), isSecret: key == "database.url")
        return value?.isEmpty == false ? value : nil
    }

    func int(_ key: String, default standard: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = string(key) else { return standard }
        guard let value = Int(text), range.contains(value) else {
            throw ValidationError("\(variable(key)) must be a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    /// Seconds, also fractions of them.
    func duration(_ key: String, default standard: Double, in range: ClosedRange<Double>) throws -> Duration {
        guard let text = string(key) else { return .seconds(standard) }
        guard let value = Double(text), range.contains(value) else {
            throw ValidationError(
                "\(variable(key)) must be a number of seconds from \(range.lowerBound) to \(range.upperBound).")
        }
        return .seconds(value)
    }

    /// `on` unless the variable says otherwise.
    func isOn(_ key: String) throws -> Bool {
        switch string(key)?.lowercased() {
        case nil, "on", "true", "1", "yes": return true
        case "off", "false", "0", "no": return false
        default: throw ValidationError("\(variable(key)) must be on or off.")
        }
    }

    /// Text on a terminal, JSON for what collects logs, unless the variable says otherwise.
    func logFormat() throws -> LogFormat {
        guard let text = string("log.format") else { return isatty(STDERR_FILENO) == 1 ? .text : .json }
        guard let format = LogFormat(rawValue: text.lowercased()) else {
            throw ValidationError("LOG_FORMAT must be text or json.")
        }
        return format
    }

    func logLevel() throws -> Logger.Level {
        guard let text = string("log.level") else { return .info }
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw ValidationError(
                "LOG_LEVEL must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return level
    }

    /// - Parameter host: The address to listen on.
    func allowedHosts(listeningOn host: String) throws -> AllowedHosts {
        guard let list = string("allowed.hosts") else { return AllowedHosts(listeningOn: host) }
        guard let hosts = AllowedHosts(list) else {
            throw ValidationError("ALLOWED_HOSTS must be host names separated by commas, or *.")
        }
        return hosts
    }

    func documentation() async throws -> Documentation {
        guard let directory = string("docs.assets.dir") else { return Documentation() }
        do {
            return try await Documentation(assetsIn: directory)
        } catch let error as Documentation.UnreadableAsset {
            throw ValidationError("DOCS_ASSETS_DIR: \(error)")
        }
    }

    func crm(url: String) throws -> CRM.Configuration {
        var configuration = CRM.Configuration(
            connection: ConnectionConfiguration(url: url, preparesStatements: try isOn("prepared.statements")))
        configuration.poolSize = try int("database.pool", default: configuration.poolSize, in: 1...1000)
        configuration.requestTimeout = try duration("request.timeout", default: 10, in: 0.1...3600)
        configuration.queueLimit = try int("queue.limit", default: configuration.queueLimit, in: 1...1_000_000)
        configuration.batchLimit = try int("batch.limit", default: configuration.batchLimit, in: 1...10_000)
        configuration.usesGate = try isOn("assignment.gate")
        return configuration
    }

    private func variable(_ key: String) -> String {
        String(key.map { $0 == "." ? "_" : Character($0.uppercased()) })
    }
}
