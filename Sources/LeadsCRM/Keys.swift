import Access
import ArgumentParser
import Model
import Postgres
import Store

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes, lists and revokes keys to the API.",
        discussion: """
            With AUTH on, calls need Authorization: Bearer and a key. Instances know of a new key, and refuse a revoked one, \
            within seconds.
            """,
        subcommands: [Create.self, List.self, Revoke.self, New.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints it, this once: what is stored of it is a hash.",
            discussion: """
                EXAMPLES:
                  leads-crm keys create --name 'Form on the web site' --scope register --source 1
                  leads-crm keys create --name Anna --scope admin
                """)

        @Option(help: "Who has it, for what.")
        var name: String

        @Option(help: "What it allows: \(Scope.allCases.map(\.rawValue).joined(separator: ", ")). May be given again.")
        var scope: [Scope]

        @Option(help: "The id of a source at which it registers contacts. May be given again; without it: all.")
        var source: [Int64] = []

        @Option(help: "Requests a second, at each instance; more get 429.")
        var rateLimit: Int32?

        @Option(help: "For how many days it is good; without it: for ever.")
        var days: Int?

        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            guard !scope.isEmpty else { throw ValidationError("--scope must be given.") }
            guard rateLimit ?? 1 > 0 else { throw ValidationError("--rate-limit must be 1 or more.") }
            guard (1...36_500).contains(days ?? 1) else { throw ValidationError("--days must be from 1 to 36500.") }
            guard (1...255).contains(name.unicodeScalars.count) else {
                throw ValidationError("--name must have 1 to 255 characters.")
            }
        }

        func run() async throws {
            let expiry = days.map {
                Timestamp(
                    microsecondsSince2000: Timestamp.now.microsecondsSince2000 + Int64($0) * 24 * 60 * 60 * 1_000_000)
            }
            let new = NewAPIKey(
                name: name, scopes: scope, sources: source.isEmpty ? nil : source.map { SourceID($0) },
                rateLimit: rateLimit, expiresAt: expiry)
            let text = KeyText.random()
            do {
                _ = try await database.connect { try AddKey(new, text).run(on: &$0) }
            } catch CRMError.sourceNotFound(let id) {
                throw ValidationError("There is no source \(id).")
            } catch CRMError.rejected {
                throw ValidationError("There are 1,000 keys: revoke some.")
            }
            print(text.text)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys, without what is secret of them.")

        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let keys = try await database.connect { connection in
                try connection.read { try Fetch<APIKey>.all().run(on: &$0) }
            }
            let rows = keys.map { key -> [String?] in
                let sources = key.sources.map { $0.map(\.description).joined(separator: " ") }
                let scopes = key.scopes.map(\.rawValue).joined(separator: " ")
                return [
                    key.id, key.name, scopes, sources, key.rateLimit.map { "\($0)" }, key.expiresAt?.description,
                ]
            }
            let table = Table(["id", "name", "scopes", "sources", "rate_limit", "expires_at"], rows)
            page(table.lines(on: .standardOutput), pager: nil)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revokes a key: instances refuse it within seconds.")

        @Argument(help: "The id of the key: the eight characters after lcrm_.")
        var id: String

        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let removed = try await database.connect { try Fetch<APIKey>.remove(id).run(on: &$0) }
            guard !removed.isEmpty else { throw ValidationError("There is no key '\(printable(id))'.") }
            print("revoked: \(printable(removed[0].name))")
        }
    }

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a new key for ADMIN_KEY, which serve and migrate then add.",
            discussion: "It uses no database: leads-crm keys new >> .env")

        func run() { print("ADMIN_KEY=\(KeyText.random().text)") }
    }
}

extension Scope: ExpressibleByArgument {}
