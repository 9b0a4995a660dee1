extension Serve {
    /// What `leads-crm help serve` says before the options.
    static let discussion = """
        Without a database URL it starts a private PostgreSQL in .leads-crm/ of the current folder. The database is \
        migrated first. Any number of instances may serve one database.

        SIGTERM and Ctrl-C stop it in order: /readyz says so, then no more connections are taken, and requests in flight \
        are answered. A second one ends it at once.

        ENVIRONMENT (an option wins):
          DATABASE_URL          PostgreSQL
                                default: a private one
          HOST                  address to listen on
                                default: 127.0.0.1
          PORT                  port to listen on
                                default: 8000
          ALLOWED_HOSTS         names in Host that are answered, separated by commas, or *
                                default: on loopback only its names, else any
          DATABASE_POOL         connections for reads; one more is for assignments
                                default: 4
          REQUEST_TIMEOUT       seconds after which a request is answered 503
                                default: 10
          QUEUE_LIMIT           requests that may wait
                                default: 4096
          BATCH_LIMIT           commands that share a transaction at most
                                default: 256
          PREPARED_STATEMENTS   off behind a PgBouncer before 1.21
                                default: on
          ASSIGNMENT_GATE       off: instances do not queue before they assign
                                default: on
          SHUTDOWN_DELAY        seconds from SIGTERM that it still takes connections
                                default: 0
          SHUTDOWN_GRACE        seconds that requests in flight then have
                                default: 20
          DOCS_ASSETS_DIR       files of /docs and /redoc
                                default: browsers get them from a CDN
          METRICS_PER_OPERATOR  operators that /metrics tells one by one
                                default: 100
          LOG_FORMAT            text or json
                                default: text on a terminal, else json
          LOG_LEVEL             trace, debug, info, notice, warning, error, critical
                                default: info
        PGPASSWORD, PGPASSFILE, PGSSLMODE and the others that psql knows work too.

        EXIT STATUS: 0 stopped in order, 1 it could not serve, 64 wrong usage or setting.

        EXAMPLES:
          leads-crm serve
          leads-crm serve --port 0 --database-url postgresql://crm@db.internal/crm
        """
}
