import Access
import ArgumentParser
import CRM
import HTTPAPI
import HTTPServer
import Logging
import Model
import Postgres
import Store

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Whether keys are asked for, as it is set.
enum AuthMode: String {
    case auto, on, warn, off
}

/// What can be set by the environment, in the order in which help and README list it.
struct Settings {
    private static let instance = CRM.Configuration(connection: ConnectionConfiguration(url: ""))

    let host = Setting<String>(
        "HOST", option: "host", default: "127.0.0.1",
        "address to listen on, or `unix:` and the path of a socket, for a proxy on the same machine"
    ) { $0 }
    let port = Setting<Int>(
        "PORT", option: "port", default: 8000, in: 0...65_535, "port to listen on, 0: any that is free")
    let databaseURL = Setting<String?>(
        "DATABASE_URL", option: "database-url", shownDefault: "private PostgreSQL in `.leads-crm/`",
        "PostgreSQL, as libpq URL or connection string; several hosts, TLS and `PG…` variables as in psql"
    ) { $0 }
    let allowedHosts = Setting<AllowedHosts?>(
        "ALLOWED_HOSTS", shownDefault: "listening on loopback: its names and addresses; else `*`",
        mustBe: "host names separated by commas, or *",
        """
        names and addresses, separated by commas, under which the service answers; requests with another `Host` get 421, \
        but not `/health`, `/livez` and `/readyz`
        """
    ) { AllowedHosts($0) }
    let auth = Setting<AuthMode>(
        "AUTH", default: .auto, shownDefault: "`auto`", mustBe: "auto, on, warn or off",
        """
        whether calls need a key: `on`, `off`, `warn` (calls without one are served and counted), `auto`: off when listening \
        on loopback or a socket alone, else on
        """
    ) { AuthMode(rawValue: $0.lowercased()) }
    let adminKey = Setting<KeyText?>(
        "ADMIN_KEY", shownDefault: "", mustBe: "a key as leads-crm keys new prints it",
        "a key that allows all, made by `leads-crm keys new`; added by `serve` and `migrate` if it is not there"
    ) { KeyText($0) }
    let databasePool = Setting<Int>(
        "DATABASE_POOL", default: instance.poolSize, in: 1...1000,
        "connections of an instance for reads; it has two more, for assignments and for other writes")
    let requestTimeout = Setting<Duration>(
        "REQUEST_TIMEOUT", default: instance.requestTimeout / .seconds(1), in: 0.1...3600,
        "seconds after which a request is answered 503")
    let connectionLimit = Setting<Int?>(
        "CONNECTION_LIMIT", shownDefault: "descriptors of the process (`ulimit -n`) less those for other things",
        mustBe: "a number from 1 on",
        """
        connections of clients; for one more the one that is idle for longest is closed, or it gets 503 if all are busy
        """
    ) { Int($0).flatMap { $0 > 0 ? $0 : nil } }
    let bodyMemory = Setting<Int>(
        "BODY_MEMORY", default: 64, in: 1...65_536,
        "MiB that the bodies of requests take together while they arrive; beyond it they are read no further meanwhile")
    let queueLimit = Setting<Int>(
        "QUEUE_LIMIT", default: instance.queueLimit, in: 1...1_000_000,
        "requests that may wait; more are answered 503 with `Retry-After`")
    let batchLimit = Setting<Int>(
        "BATCH_LIMIT", default: instance.batchLimit, in: 1...10_000, "commands that share one transaction at most")
    let sweepInterval = Setting<Duration>(
        "SWEEP_INTERVAL", default: instance.sweepInterval / .seconds(1), in: 0.1...3600,
        "seconds within which contacts that wait beside room are let in when nobody calls, as after changes by psql")
    let idempotencyTime = Setting<Duration>(
        "IDEMPOTENCY_TTL", default: instance.idempotencyTime / .seconds(1), in: 1...31_536_000,
        "seconds for which the answer to a request with an `Idempotency-Key` is kept")
    let explanationTime = Setting<Duration>(
        "EXPLANATION_TTL", default: instance.explanationTime / .seconds(1), in: 1...31_536_000,
        "seconds for which it is kept how contacts were assigned")
    let preparedStatements = Setting<Bool>(
        "PREPARED_STATEMENTS", "`off` behind a PgBouncer before 1.21 in transaction mode")
    let assignmentGate = Setting<Bool>(
        "ASSIGNMENT_GATE", "`off`: instances meet in conflicts instead of queueing; the guarantee is the same")
    let gatePatience = Setting<Duration>(
        "GATE_PATIENCE", default: instance.gatePatience / .seconds(1), in: 0.1...60,
        "seconds that an instance may stand still in a transaction while others wait; then they end its session")
    let docsAssetsDirectory = Setting<String?>(
        "DOCS_ASSETS_DIR", shownDefault: "",
        """
        directory with `swagger-ui-bundle.js`, `swagger-ui.css` (swagger-ui-dist) and `redoc.standalone.js` (redoc), from \
        which `/docs` and `/redoc` are served; else browsers get them from a CDN
        """
    ) { $0 }
    let shutdownDelay = Setting<Duration>(
        "SHUTDOWN_DELAY", default: 0, in: 0...3600,
        """
        seconds from SIGTERM, with `/readyz` at 503, until no more connections are taken: as long as the load balancer's \
        check takes
        """)
    let shutdownGrace = Setting<Duration>(
        "SHUTDOWN_GRACE", default: 20, in: 0...3600, "seconds that requests in flight then have")
    let metricsPerOperator = Setting<Int>(
        "METRICS_PER_OPERATOR", default: 100, in: 0...10_000,
        "operators whose load `/metrics` tells one by one, the fullest first")
    let logFormat = Setting<LogFormat?>(
        "LOG_FORMAT", shownDefault: "`text` on a terminal, else `json`", mustBe: "text or json",
        "`json`: one object a line"
    ) { LogFormat(rawValue: $0.lowercased()) }
    let logLevel = Setting<Logger.Level>(
        "LOG_LEVEL", default: .info,
        mustBe: "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))",
        "the least that is logged: \(Logger.Level.allCases.map { "`\($0)`" }.joined(separator: ", "))"
    ) { Logger.Level(rawValue: $0.lowercased()) }

    /// Every setting that is declared above.
    var all: [any AnySetting] { Mirror(reflecting: self).children.compactMap { $0.value as? any AnySetting } }

    /// The pages of documentation, with the assets that they are served with.
    func documentation() async throws -> Documentation {
        guard let directory = try docsAssetsDirectory.value() else { return Documentation() }
        do {
            return try await Documentation(assetsIn: directory)
        } catch let error as Documentation.UnreadableAsset {
            throw ValidationError("\(docsAssetsDirectory.name): \(error)")
        }
    }

    /// How much of the instance clients may have.
    func serverLimits() throws -> ServerLimits {
        var limits = ServerLimits()
        limits.bodyMemory = try bodyMemory.value() << 20
        // PostgreSQL's, the log, what listens, event loops, and those who are told that there is no room.
        let others = try databasePool.value() + 128
        limits.connections = try connectionLimit.value() ?? max(16, min(openFileLimit(), 1 << 20) - others)
        return limits
    }

    /// The configuration of an instance that uses a database.
    /// Adds the key of `ADMIN_KEY`, if there is one and it is not there.
    func addAdminKey(_ connection: inout Connection) throws {
        guard let text = try adminKey.value() else { return }
        do {
            _ = try AddKey(NewAPIKey(name: "ADMIN_KEY", scopes: [.admin]), text).run(on: &connection)
        } catch CRMError.rejected {
            // It is there.
        }
    }

    func crm(url: String) throws -> CRM.Configuration {
        var configuration = CRM.Configuration(
            connection: ConnectionConfiguration(url: url, preparesStatements: try preparedStatements.value()))
        configuration.poolSize = try databasePool.value()
        configuration.requestTimeout = try requestTimeout.value()
        configuration.queueLimit = try queueLimit.value()
        configuration.batchLimit = try batchLimit.value()
        configuration.sweepInterval = try sweepInterval.value()
        configuration.idempotencyTime = try idempotencyTime.value()
        configuration.explanationTime = try explanationTime.value()
        configuration.usesGate = try assignmentGate.value()
        configuration.gatePatience = try gatePatience.value()
        return configuration
    }
}

let settings = Settings()

/// How many files, and connections, the process may have open.
func openFileLimit() -> Int {
    var limit = rlimit()
    #if canImport(Glibc)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    #else
        getrlimit(RLIMIT_NOFILE, &limit)
    #endif
    return Int(clamping: limit.rlim_cur)
}
