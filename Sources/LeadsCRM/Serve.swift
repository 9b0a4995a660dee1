import ArgumentParser
import CRM
import HTTPAPI
import Hummingbird
import Logging
import Metrics
import NIOCore
import Postgres
import Prometheus
import ServiceLifecycle
import Store
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the API.",
        discussion: discussion)

    @Option(help: "The address to listen on (environment: HOST; default: 127.0.0.1).")
    var host: String?

    @Option(help: "The port to listen on, 0 for any that is free (environment: PORT; default: 8000).")
    var port: Int?

    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port must be from 0 to 65535.") }
    }

    func run() async throws {
        let settings = Settings()
        let (format, level) = (try settings.logFormat(), try settings.logLevel())
        LoggingSystem.bootstrap { format.handler(label: $0, level: level) }
        // Read before PostgreSQL is started, so that a wrong setting is told at once.
        let documentation = try await settings.documentation()
        var configuration = try settings.crm(url: "")
        try await database.use(settings, creates: true) { database in
            configuration.connection.url = database.url
            try await serve(configuration, database, documentation, settings)
        }
    }

    private func serve(
        _ configuration: CRM.Configuration, _ database: DatabaseOptions.Database, _ documentation: Documentation,
        _ settings: Settings
    ) async throws {
        let logger = Logger(label: "leads-crm")
        let delay = try settings.duration("shutdown.delay", default: 0, in: 0...3600)
        let grace = try settings.duration("shutdown.grace", default: 20, in: 0...3600)
        let operatorLimit = try settings.int("metrics.per.operator", default: 100, in: 0...10_000)
        let host = host ?? settings.string("host") ?? "127.0.0.1"
        let allowedHosts = try settings.allowedHosts(listeningOn: host)
        var migrating = configuration.connection
        migrating.url = database.ownerURL
        try await migrate(migrating, logger)

        let registry = PrometheusRegistry(MetricsPage.families)
        MetricsSystem.bootstrap(registry)
        let crm = CRM(configuration, logger: logger)
        let port = try port ?? settings.int("port", default: 8000, in: 0...65_535)
        let application = Application(
            responder: HTTPAPI(
                crm: crm, version: version, documentation: documentation, allowedHosts: allowedHosts, logger: logger,
                metrics: MetricsPage(registry, operatorLimit: operatorLimit)),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { channel in
                // A private PostgreSQL's URL holds no secret.
                greet(at: channel.localAddress!, database: database.isPrivate ? database.ownerURL : nil)
            },
            logger: logger)
        // Stopped in reverse order: first load balancers are told, then the server stops, once its requests are
        // answered, then what they need.
        var services = ServiceGroupConfiguration(
            services: [crm, application, Drain(crm: crm, delay: delay)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        services.maximumGracefulShutdownDuration = delay + grace
        let group = ServiceGroup(configuration: services)
        do { try await run(group) } catch let error as IOError {
            throw AddressRefused(host: host, port: port, error)
        }
    }

    /// Runs until a signal has stopped the services in order, or a second one has come.
    private func run(_ group: ServiceGroup) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let services = Task { try await group.run() }
        let watch = Task {
            var isStopping = false
            for await signal in signals {
                if isStopping {
                    services.cancel()
                    throw ExitCode(128 + signal.rawValue)
                }
                isStopping = true
                print("Stopping: requests in flight are answered first; Ctrl-C again ends at once.")
                fflush(nil)
            }
        }
        let result = await services.result
        watch.cancel()
        try await watch.value
        try result.get()
    }

    /// Says that the service is not ready for some time before it takes no more connections.
    private struct Drain: Service {
        let crm: CRM
        let delay: Duration

        func run() async throws {
            try await gracefulShutdown()
            crm.drain()
            try await Task.sleep(for: delay)
        }
    }

    /// Migrates, waiting for a PostgreSQL that is still starting.
    private func migrate(_ configuration: ConnectionConfiguration, _ logger: Logger) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                var connection = try Connection(configuration)
                let applied = try Migrations.migrate(&connection)
                if !applied.isEmpty { logger.info("migrated to version \(applied.last!)") }
                return
            } catch PostgresError.connectionLost(let reason) {
                guard .now < end, configuration.isServerAway else { throw Unconnected(configuration, reason) }
                logger.warning("waiting up to 30 s for PostgreSQL: \(reason)")
                try await Task.sleep(for: .seconds(1))
            }
        }
    }
}

private func greet(at address: SocketAddress, database url: String?) {
    let host = address.ipAddress ?? ""
    let endpoint = "http://\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
    print(
        """
        Listening on \(endpoint)

        A first call:
          curl -X POST \(endpoint)/api/v1/operators -H 'Content-Type: application/json' \\
            -d '{"name": "Иван Иванов", "max_load": 15}'
        Documentation: \(endpoint)/docs
        """)
    if let url { print("The database: psql '\(url)'") }
    print("Stop with Ctrl-C.")
    fflush(nil)
}
