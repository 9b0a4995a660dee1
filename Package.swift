// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "leads-crm",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "leads-crm", targets: ["LeadsCRM"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(
            name: "CLibpq", pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]),
        .systemLibrary(name: "CMalloc"),
        .target(name: "Postgres", dependencies: ["CLibpq"], swiftSettings: settings),
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: settings),
        .target(name: "Model", swiftSettings: settings),
        .target(
            name: "Access", dependencies: ["Model", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: settings),
        .target(name: "Distribution", dependencies: ["Model"], swiftSettings: settings),
        .target(name: "Assignment", dependencies: ["Distribution", "Model"], swiftSettings: settings),
        .target(
            name: "Prometheus", dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: settings),
        .target(
            name: "Store", dependencies: ["Access", "Assignment", "Distribution", "Model", "Postgres"],
            exclude: ["sql/bench", "sql/login_roles.sql", "sql/reporting", "sql/schema.sql"],
            resources: [
                .embedInCode("sql/migrations/0001_initial.sql"), .embedInCode("sql/migrations/0002_reporting.sql"),
                .embedInCode("sql/migrations/0003_event_times.sql"),
                .embedInCode("sql/migrations/0004_reporting_rows.sql"),
                .embedInCode("sql/migrations/0005_counts_in_one_statement.sql"),
                .embedInCode("sql/migrations/0006_batches_by_time.sql"),
                .embedInCode("sql/migrations/0007_nfc_identifiers.sql"),
                .embedInCode("sql/migrations/0008_least_privilege.sql"),
                .embedInCode("sql/migrations/0009_maintenance.sql"),
                .embedInCode("sql/migrations/0010_phones_as_copied.sql"),
                .embedInCode("sql/migrations/0011_idempotency_keys.sql"),
                .embedInCode("sql/migrations/0012_strategies.sql"),
                .embedInCode("sql/migrations/0013_deletes_and_statistics.sql"),
                .embedInCode("sql/migrations/0014_history.sql"),
                .embedInCode("sql/migrations/0015_keys.sql"),
                .embedInCode("sql/roles.sql"),
            ],
            swiftSettings: settings),
        .target(
            name: "CRM",
            dependencies: [
                "Access", "Assignment", "Distribution", "Model", "Postgres", "Prometheus", "Store",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(
            name: "Demo", dependencies: ["Assignment", "Distribution", "Model", "Postgres", "Store"],
            swiftSettings: settings),
        .target(name: "Diagnosis", dependencies: ["Model", "Postgres", "Store"], swiftSettings: settings),
        .target(name: "Import", dependencies: ["Model", "Postgres", "SQLite", "Store"], swiftSettings: settings),
        .target(
            name: "EmbeddedPostgres",
            dependencies: [.product(name: "Subprocess", package: "swift-subprocess")],
            swiftSettings: settings),
        .target(
            name: "HTTPAPI",
            dependencies: [
                "Access", "CRM", "Model", "Postgres", "Prometheus",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "_NIOFileSystem", package: "swift-nio"),
            ],
            resources: [
                .embedInCode("Web/home.html"), .embedInCode("Web/page.css"), .embedInCode("Web/home.js"),
                .embedInCode("Web/docs.js"), .embedInCode("Web/description.js"), .embedInCode("Web/operations.js"),
                .embedInCode("Web/form.js"), .embedInCode("Web/element.js"),
            ],
            swiftSettings: settings),
        .target(
            name: "HTTPServer",
            dependencies: [
                "HTTPAPI", "Prometheus",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(
            name: "PlainHTTP",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .target(
            name: "LoadTest",
            dependencies: [
                "PlainHTTP",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "LeadsCRM",
            dependencies: [
                "Access", "CMalloc", "CRM", "Demo", "Diagnosis", "EmbeddedPostgres", "HTTPAPI", "HTTPServer", "Import",
                "LoadTest",
                "Model", "PlainHTTP", "Postgres", "Prometheus", "Store",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "LaneBenchmark",
            dependencies: [
                "Assignment", "Model", "Postgres", "Store",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .target(
            name: "TestSupport",
            dependencies: [
                "EmbeddedPostgres", "PlainHTTP", "Postgres", "Store",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(name: "AccessTests", dependencies: ["Access", "Model"], swiftSettings: settings),
        .testTarget(name: "DistributionTests", dependencies: ["Distribution", "Model"], swiftSettings: settings),
        .testTarget(
            name: "PrometheusTests",
            dependencies: ["Prometheus", .product(name: "Metrics", package: "swift-metrics")],
            swiftSettings: settings),
        .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "AssignmentTests", dependencies: ["Assignment", "Distribution", "Model"], swiftSettings: settings),
        .testTarget(
            name: "StoreTests",
            dependencies: ["Demo", "Import", "Model", "Postgres", "Store", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "CRMTests",
            dependencies: [
                "Assignment", "CRM", "EmbeddedPostgres", "Model", "Postgres", "Store", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HTTPAPITests",
            dependencies: [
                "CRM", "Distribution", "HTTPAPI", "Model", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: ["openapi.json"], swiftSettings: settings),
        .testTarget(
            name: "HTTPServerTests",
            dependencies: [
                "HTTPAPI", "HTTPServer", "Prometheus",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "LoadTestTests",
            dependencies: [
                "LoadTest", "PlainHTTP",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "SystemTests",
            dependencies: [
                "CSQLite", "Distribution", "EmbeddedPostgres", "LeadsCRM", "Model", "Postgres", "TestSupport",
            ],
            swiftSettings: settings),
    ]
)
