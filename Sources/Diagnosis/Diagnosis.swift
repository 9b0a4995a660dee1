import Model
public import Postgres
import Store

/// One thing that was looked at, and what to do about it.
public struct Finding: Sendable, Equatable {
    public enum Level: String, Sendable {
        case ok
        /// It works, but not as well as it should.
        case warning = "warn"
        /// It does not work.
        case failure = "FAIL"
    }

    public let level: Level
    /// What was looked at, in a word or two.
    public let subject: String
    public let found: String
    /// The command or setting that mends it; `nil` if there is nothing to mend.
    public let remedy: String?

    public init(_ level: Level, _ subject: String, _ found: String, remedy: String? = nil) {
        self.level = level
        self.subject = subject
        self.found = found
        self.remedy = remedy
    }
}

/// Looks at a database as an instance would use it, and changes nothing.
public struct Diagnosis {
    private let configuration: ConnectionConfiguration
    private let poolSize: Int

    /// - Parameter poolSize: The connections of an instance for reads; it has two more.
    public init(_ configuration: ConnectionConfiguration, poolSize: Int) {
        self.configuration = configuration
        self.poolSize = poolSize
    }

    /// Looks at everything, in the order in which it should be mended; what an earlier failure makes impossible is left
    /// out.
    ///
    /// - Parameter tell: Called with each finding as soon as there is one.
    public func run(_ tell: (Finding) -> Void) {
        do {
            var connection = try connect(tell)
            connection.deadline = .now + .seconds(10)
            tell(version(of: connection))
            let checks: [(String, (inout Connection) throws -> [Finding])] = [
                ("writing", writing), ("encoding", encoding), ("durability", durability), ("isolation", isolation),
                ("logging", logging), ("clock", clock), ("connections", connections),
                ("predicate locks", predicateLocks), ("pooler", pooler), ("migrations", migrations),
            ]
            for (subject, check) in checks {
                for finding in report(subject, check, &connection) { tell(finding) }
            }
            // What follows is about tables that an unmigrated database does not have.
            guard try !connection.run(DiagnosisStatements.hasTables()).map({ try $0.next(Bool.self) }).contains(false)
            else { return }
            for (subject, check) in [
                ("rights", rights), ("role", role), ("triggers", triggers), ("counters", counters),
            ] {
                // Counting every contact takes its time.
                connection.deadline = .now + .seconds(subject == "counters" ? 300 : 10)
                for finding in report(subject, check, &connection) { tell(finding) }
            }
        } catch {
            tell(Finding(.failure, "connection", describe(error), remedy: remedy(for: error)))
        }
    }

    private func report(
        _ subject: String, _ check: (inout Connection) throws -> [Finding], _ connection: inout Connection
    ) -> [Finding] {
        do { return try check(&connection) } catch {
            return [Finding(.failure, subject, describe(error), remedy: remedy(for: error))]
        }
    }

    private func describe(_ error: any Error) -> String {
        let text =
            switch error {
            case PostgresError.connectionLost(let reason): reason
            case let error as PostgresError: error.details
            default: "\(error)"
            }
        return text.split(separator: "\n").joined(separator: "; ")
    }

    private func remedy(for error: any Error) -> String? {
        guard let error = error as? PostgresError else { return nil }
        if case .connectionLost = error { return configuration.remedy }
        return error.remedy
    }

    // MARK: - Server

    /// Connects as an instance does; if there is no server to write to, to any.
    private func connect(_ tell: (Finding) -> Void) throws -> Connection {
        let start = ContinuousClock.now
        do {
            let connection = try Connection(configuration)
            let time = Int((.now - start) / .milliseconds(1))
            tell(Finding(.ok, "connection", "\(connection.destination), in \(time) ms"))
            return connection
        } catch {
            var any = configuration
            any.acceptsReadOnly = true
            guard let connection = try? Connection(any) else { throw error }
            tell(Finding(.ok, "connection", "\(connection.destination), read-only"))
            return connection
        }
    }

    private func version(of connection: borrowing Connection) -> Finding {
        let version = connection.serverVersion
        let text = "PostgreSQL \(version / 10_000).\(version % 10_000)"
        return switch version {
        case ..<130_000: Finding(.failure, "version", text, remedy: "upgrade to PostgreSQL 15 or newer")
        case ..<150_000:
            Finding(.warning, "version", "\(text): tested is 15", remedy: "upgrade to PostgreSQL 15 or newer")
        default: Finding(.ok, "version", text)
        }
    }

    private func writing(_ connection: inout Connection) throws -> [Finding] {
        let (isStandby, isReadOnly, remedy) = try connection.run(DiagnosisStatements.writing()).first {
            (try $0.next(Bool.self), try $0.next(Bool.self), try $0.next(String.self))
        }!
        if isStandby {
            return [
                Finding(
                    .failure, "writing", "the server is a standby",
                    remedy: "name the primary in DATABASE_URL, or both: postgresql://host1,host2/database")
            ]
        }
        if isReadOnly {
            return [
                Finding(.failure, "writing", "default_transaction_read_only is on", remedy: remedy)
            ]
        }
        return [Finding(.ok, "writing", "the server is a primary and can be written")]
    }

    private func encoding(_ connection: inout Connection) throws -> [Finding] {
        let encoding = try setting("server_encoding", &connection)
        guard encoding != "UTF8" else { return [Finding(.ok, "encoding", encoding)] }
        return [
            Finding(
                .failure, "encoding", "\(encoding): names in other scripts cannot be stored",
                remedy: "createdb --encoding=UTF8 --template=template0 NAME, and use that database")
        ]
    }

    private func durability(_ connection: inout Connection) throws -> [Finding] {
        let off = try ["fsync", "full_page_writes", "synchronous_commit"].filter {
            try setting($0, &connection) == "off"
        }
        guard !off.isEmpty else { return [Finding(.ok, "durability", "fsync and synchronous_commit are on")] }
        return [
            Finding(
                .warning, "durability", "\(off.joined(separator: ", ")) off: a crash may lose answered contacts",
                remedy: off.map { "ALTER SYSTEM RESET \($0);" }.joined(separator: " ") + " SELECT pg_reload_conf()")
        ]
    }

    private func isolation(_ connection: inout Connection) throws -> [Finding] {
        let level = try setting("default_transaction_isolation", &connection)
        return [Finding(.ok, "isolation", "\(level) by default; assignments ask for serializable themselves")]
    }

    private func clock(_ connection: inout Connection) throws -> [Finding] {
        let before = Timestamp.now.microsecondsSince2000
        let server = try connection.run(DiagnosisStatements.clock()).first { try $0.next(Timestamp.self) }!
        let here = before + (Timestamp.now.microsecondsSince2000 - before) / 2
        let seconds = Double(server.microsecondsSince2000 - here) / 1_000_000
        let text =
            "the server's is \(abs(Int(seconds.rounded()))) s \(seconds < 0 ? "behind" : "ahead of") this machine's"
        guard abs(seconds) > 2 else { return [Finding(.ok, "clock", "less than 2 s from the server's")] }
        return [
            Finding(
                .warning, "clock", "\(text): times in answers are the server's, times in logs are not",
                remedy: "timedatectl set-ntp true, on both machines")
        ]
    }

    private func connections(_ connection: inout Connection) throws -> [Finding] {
        let (most, used) = try connection.run(DiagnosisStatements.connections()).first {
            (try $0.next(Int64.self), try $0.next(Int64.self))
        }!
        // This one will be free.
        let (free, needed) = (most - used + 1, Int64(poolSize) + 2)
        let text = "\(max(0, free)) of \(most) are free; an instance takes \(needed)"
        guard free < needed * 2 else { return [Finding(.ok, "connections", text)] }
        return [
            Finding(
                free < needed ? .failure : .warning, "connections", text,
                remedy: "lower DATABASE_POOL, or raise max_connections (ALTER SYSTEM, then restart PostgreSQL) or the "
                    + "role's or database's CONNECTION LIMIT, or put PgBouncer in front")
        ]
    }

    /// A statement that was prepared in one transaction must be there in the next, though another connection is busy with
    /// the server process that prepared it.
    private func pooler(_ connection: inout Connection) throws -> [Finding] {
        let process = try connection.run(DiagnosisStatements.process()).first { try $0.next(Int32.self) }
        guard process != connection.backendProcessID else { return [Finding(.ok, "pooler", "none in between")] }
        guard configuration.preparesStatements else {
            return [Finding(.ok, "pooler", "there is one; PREPARED_STATEMENTS is off")]
        }
        var any = configuration
        any.acceptsReadOnly = true
        var first = try Connection(any)
        var second = try Connection(any)
        first.deadline = .now + .seconds(5)
        second.deadline = first.deadline
        do {
            _ = try first.run(DiagnosisStatements.prepared())
            try second.run(script: "BEGIN; SELECT 1")
            _ = try first.run(DiagnosisStatements.prepared())
            return [Finding(.ok, "pooler", "there is one, and it keeps prepared statements")]
        } catch PostgresError.server(let error) {
            return [
                Finding(
                    .failure, "pooler", "there is one, and prepared statements get lost in it: \(error.message)",
                    remedy: "PREPARED_STATEMENTS=off, or PgBouncer 1.21 or newer with max_prepared_statements = 200")
            ]
        }
    }

    private func setting(_ name: String, _ connection: inout Connection) throws -> String {
        try connection.run(DiagnosisStatements.setting(.text(name))).first { try $0.next(String.self) }!
    }

    // MARK: - Schema

    private func migrations(_ connection: inout Connection) throws -> [Finding] {
        let migrations: [Migrations.Status]
        do { migrations = try Migrations.status(&connection) } catch let error as Migrations.Failure {
            return [
                Finding(
                    .failure, "migrations", "\(error)",
                    remedy: "run the version of leads-crm that this database was migrated by")
            ]
        }
        let pending = migrations.filter { $0.appliedAt == nil }.map { String($0.version) }
        var findings: [Finding] = []
        if !pending.isEmpty {
            findings.append(
                Finding(
                    .failure, "migrations", "pending: \(pending.joined(separator: ", "))",
                    remedy: "leads-crm migrate (serve does it too, when it starts)"))
            let remedies = try connection.run(DiagnosisStatements.creation()).map { try $0.next(String.self) }
            if !remedies.isEmpty {
                findings.append(
                    Finding(
                        .failure, "rights", "this user may not migrate", remedy: remedies.joined(separator: "; ")))
            }
        }
        let newest = Migrations.all.last!.version
        if let newer = migrations.last?.version, newer > newest {
            findings.append(
                Finding(
                    .warning, "migrations", "the database is at \(newer), this program knows \(newest)",
                    remedy: "upgrade leads-crm to the version that its other instances have"))
        }
        return findings.isEmpty ? [Finding(.ok, "migrations", "up to date, at \(newest)")] : findings
    }

    private func triggers(_ connection: inout Connection) throws -> [Finding] {
        let wrong = try connection.run(DiagnosisStatements.triggers()).map {
            (table: try $0.next(String.self), name: try $0.next(String.self), exists: try $0.next(Bool.self))
        }
        guard !wrong.isEmpty else { return [Finding(.ok, "triggers", "loads are counted and guarded")] }
        return wrong.map { table, name, exists in
            Finding(
                .failure, "triggers", "\(name) on \(table) is \(exists ? "disabled" : "missing")",
                remedy: exists
                    ? "ALTER TABLE \(table) ENABLE TRIGGER \(name); then leads-crm check"
                    : "run its CREATE TRIGGER of sql/migrations/0001_initial.sql; then leads-crm check")
        }
    }

    private func counters(_ connection: inout Connection) throws -> [Finding] {
        let differences = try Check().run(on: &connection)
        guard let first = differences.first else { return [Finding(.ok, "counters", "agree with a recount")] }
        return [
            Finding(
                .failure, "counters", "\(differences.count) differ from a recount, the first: \(first)",
                remedy: "leads-crm check --repair")
        ]
    }
}
