import Access
import ArgumentParser
import CMalloc
import CRM
import HTTPAPI
import HTTPServer
import HummingbirdCore
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
        discussion: """
            Without a database URL it starts a private PostgreSQL in .leads-crm/ of the current folder. The database is \
            migrated first. Any number of instances may serve one database.

            SIGTERM and Ctrl-C stop it in order: /readyz says so, then no more connections are taken, and requests in flight \
            are answered. A second one ends it at once.

            ENVIRONMENT (an option wins):
            \(settings.all.map(\.help).joined(separator: "\n"))
            PGPASSWORD, PGPASSFILE, PGSSLMODE and the others that psql knows work too.

            EXIT STATUS: 0 stopped in order, 1 it could not serve, 64 wrong usage or setting.

            EXAMPLES:
              leads-crm serve
              leads-crm serve --port 0 --database-url postgresql://crm@db.internal/crm
            """)

    @Option(help: settings.host.optionHelp())
    var host: String?

    @Option(help: settings.port.optionHelp(), transform: { try settings.port.value(of: $0, for: "--port") })
    var port: Int?

    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        returnLargeMemory()
        // Before PostgreSQL is started, so that a wrong setting is told at once. An option wins over its variable.
        for setting in settings.all where setting.option == nil { try setting.check() }
        let (host, port) = (try host ?? settings.host.value(), try port ?? settings.port.value())
        let documentation = try await settings.documentation()
        // Text on a terminal, JSON for what collects logs.
        let format = try settings.logFormat.value() ?? (isatty(STDERR_FILENO) == 1 ? .text : .json)
        let level = try settings.logLevel.value()
        LoggingSystem.bootstrap { format.handler(label: $0, level: level) }
        try await database.use(creates: true) { try await serve($0, documentation, host: host, port: port) }
    }

    private func serve(
        _ database: DatabaseOptions.Database, _ documentation: Documentation, host: String, port: Int
    ) async throws {
        let logger = Logger(label: "leads-crm")
        var configuration = try settings.crm(url: database.url)
        let place = ListeningPlace(host: host, port: port)
        let access = try settings.auth.value().policy(at: place)
        configuration.watchesKeys = access != .off
        let delay = try settings.shutdownDelay.value()
        var migrating = configuration.connection
        migrating.url = database.ownerURL
        try await migrate(migrating, logger)

        let registry = PrometheusRegistry(MetricsPage.families + HTTPServer.families)
        MetricsSystem.bootstrap(registry)
        let crm = CRM(configuration, logger: logger)
        let api = HTTPAPI(
            crm: crm, version: version, documentation: documentation,
            allowedHosts: try settings.allowedHosts.value() ?? place.allowedHosts, access: access, logger: logger,
            metrics: MetricsPage(registry, operatorLimit: try settings.metricsPerOperator.value()))
        if access != .off { await crm.watchKeys() }
        if access == .on, try crm.keyRing().isEmpty { throw NoKeys(place: place) }
        try await place.prepare()
        let server = HTTPServer(api, at: place.address, limits: try settings.serverLimits(), logger: logger) {
            channel in
            place.open()
            // A private PostgreSQL's URL holds no secret.
            greet(place, at: channel.localAddress!, database: database.isPrivate ? database.ownerURL : nil)
        }
        // Stopped in reverse order: first load balancers are told, then the server stops, once its requests are
        // answered, then what they need.
        var services = ServiceGroupConfiguration(
            services: [crm, server, Drain(crm: crm, delay: delay)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        services.maximumGracefulShutdownDuration = try delay + settings.shutdownGrace.value()
        let group = ServiceGroup(configuration: services)
        do { try await run(group) } catch let error as IOError { throw AddressRefused(place, error) }
    }

    /// Runs the services until a signal has stopped them in order, or a second one has ended them.
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

    /// Keeps `/readyz` at 503 for some time before the server takes no more connections.
    private struct Drain: Service {
        let crm: CRM
        let delay: Duration

        func run() async throws {
            try await gracefulShutdown()
            crm.drain()
            try await Task.sleep(for: delay)
        }
    }

    /// Migrates the database, and waits for a PostgreSQL that is still starting.
    private func migrate(_ configuration: ConnectionConfiguration, _ logger: Logger) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                var connection = try Connection(configuration)
                let applied = try Migrations.migrate(&connection)
                try settings.addAdminKey(&connection)
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

/// The error that calls need keys, and there are none.
private struct NoKeys: Error, CustomStringConvertible {
    let place: ListeningPlace

    var description: String {
        """
        Calls need a key here (listening on \(place); AUTH), and there is none.
          → leads-crm keys create --name admin --scope admin
        """
    }
}

extension AuthMode {
    fileprivate func policy(at place: ListeningPlace) -> AccessPolicy {
        switch self {
        case .auto: place.isLocal ? .off : .on
        case .on: .on
        case .warn: .warn
        case .off: .off
        }
    }
}

/// Has long texts and buffers given back to the system when they are done with. By default glibc keeps ever larger ones:
/// lists with long messages then leave several times their size behind.
private func returnLargeMemory() {
    #if canImport(Glibc)
        _ = mallopt(M_MMAP_THRESHOLD, 32 << 10)
    #endif
}

private func greet(_ place: ListeningPlace, at address: SocketAddress, database url: String?) {
    let (endpoint, curl) = place.endpoint(at: address)
    print(
        """
        Listening on \(endpoint)

        A first call:
          \(curl)/api/v1/operators -H 'Content-Type: application/json' \\
            -d '{"name": "Иван Иванов", "max_load": 15}'
        Documentation: \(endpoint)/docs
        """)
    if let url { print("The database: psql '\(url)'") }
    print("Stop with Ctrl-C.")
    fflush(nil)
}
