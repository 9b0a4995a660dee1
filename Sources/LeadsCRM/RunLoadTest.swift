import ArgumentParser
import LoadTest
import PlainHTTP
import UnixSignals

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct RunLoadTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loadtest",
        abstract: "Puts load on running instances and checks that they keep their promises.",
        discussion: """
            Creates operators and sources of its own, which stay; use a database that is there for it. It speaks HTTP \
            alone: the database is that of the instances, so start one first (leads-crm serve).

            Without --rate it is a closed loop: each connection sends its next request when the last one is answered. With \
            --rate requests are due at that rate whatever becomes of the others, and latency counts from when a request was \
            due. Where keys are asked for, API_KEY has one that allows all. Ctrl-C ends the load early and checks what was \
            done; a second one ends the program.

            EXIT STATUS: 0 no promise was broken (requests that fail are only told), 1 one was or could not be checked, 64 \
            wrong usage, 130 ended by Ctrl-C.

            EXAMPLES:
              leads-crm loadtest --duration 5
              leads-crm loadtest --rate 200 --close-share 0.4 --max-load 50
              leads-crm loadtest --key-share 1 --repeat-share 0.2 --batch 20 --priorities
              leads-crm loadtest --url http://10.0.0.1:8000 --url http://10.0.0.2:8000 --json result.json
            """)

    @Option(
        help: ArgumentHelp(
            "An instance: http://HOST:PORT, repeated for several; https is not spoken.", valueName: "url"))
    var url: [String] = ["http://127.0.0.1:8000"]

    @Option(help: "Connections, which take turns among the instances.")
    var connections = 64

    @Option(help: "Requests a second that are due; without it as many as the connections can.")
    var rate: Double?

    @Option(help: "Seconds to measure.")
    var duration = 10.0

    @Option(help: "Seconds of load before that.")
    var warmup = 2.0

    @Option(help: "Sources to create.")
    var sources = 1

    @Option(help: "Operators to create; each takes contacts of every source.")
    var operators = 20

    @Option(help: "The operators' max_load; a small one lets contacts wait.")
    var maxLoad = 1_000_000_000

    @Option(help: "The part of the requests that closes a contact, 0 to 0.5.")
    var closeShare = 0.0

    @Option(help: "The part of the contacts that are of returning leads, 0 to 1.")
    var duplicateShare = 0.0

    @Option(
        help:
            "The part of the registrations that has an Idempotency-Key, 0 to 1; of unknown outcome, they are repeated.")
    var keyShare = 0.0

    @Option(help: "The part of the registrations with a key that is sent twice, at once or after the answer, 0 to 1.")
    var repeatShare = 0.0

    @Option(help: ArgumentHelp("Contacts that each request registers, 1 to 1000.", valueName: "contacts"))
    var batch = 1

    @Flag(help: "Give each contact a random priority, 0 to 9.")
    var priorities = false

    @Option(help: "The sources' strategy.")
    var strategy = Options.Strategy.weightedRandom

    @Option(help: "Decides which requests are made: the same seed, the same requests.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Write the result to this file as JSON, too.", valueName: "file"))
    var json: String?

    func validate() throws {
        for text in url where BaseURL(text) == nil {
            // What stands before an "@" may be a password.
            let shown = text.contains("@") ? "" : ", not '\(text)'"
            throw ValidationError("--url must be like http://127.0.0.1:8000, without TLS and user\(shown).")
        }
        func require(_ isRight: Bool, _ message: String) throws { if !isRight { throw ValidationError(message) } }
        try require((1...10_000).contains(connections), "--connections must be from 1 to 10000.")
        try require(rate.map { $0 > 0 && $0 <= 1_000_000 } ?? true, "--rate must be above 0, at most 1000000.")
        try require(duration > 0 && duration <= 86_400, "--duration must be above 0, at most 86400 seconds.")
        try require((0...86_400).contains(warmup), "--warmup must be from 0 to 86400 seconds.")
        try require((1...10_000).contains(sources), "--sources must be from 1 to 10000.")
        try require((1...10_000).contains(operators), "--operators must be from 1 to 10000.")
        try require((1...Int(Int32.max)).contains(maxLoad), "--max-load must be from 1 to \(Int32.max).")
        try require((0...0.5).contains(closeShare), "--close-share must be from 0 to 0.5: a contact is closed once.")
        try require((0...1).contains(duplicateShare), "--duplicate-share must be from 0 to 1.")
        try require((0...1).contains(keyShare), "--key-share must be from 0 to 1.")
        try require((0...1).contains(repeatShare), "--repeat-share must be from 0 to 1.")
        try require(repeatShare == 0 || keyShare > 0, "--repeat-share needs --key-share: what has no key is sent once.")
        try require((1...1000).contains(batch), "--batch must be from 1 to 1000.")
    }

    func run() async throws {
        let file = try json.map(OutputStream.init(creating:))
        let key = environment("API_KEY")
        let urls = url.compactMap(BaseURL.init).map { url in
            var url = url
            url.key = key?.isEmpty == true ? nil : key
            return url
        }
        let test = LoadTest(
            Options(
                urls: urls, connections: connections, rate: rate, duration: duration,
                warmup: warmup, sources: sources, operators: operators, maxLoad: maxLoad, closeShare: closeShare,
                duplicateShare: duplicateShare, keyShare: keyShare, repeatShare: repeatShare, batch: batch,
                priorities: priorities, strategy: strategy, seed: seed),
            console: Console(
                width: OutputStream.standardOutput.isInteractive ? OutputStream.standardOutput.width : nil,
                write: OutputStream.standardOutput.write))
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let watch = Task {
            for await _ in signals {
                guard test.stop() else { Self.exit(withError: ExitCode(130)) }
                OutputStream.standardError.write(
                    "\nStopping: what was done is checked first; Ctrl-C again ends at once.\n")
            }
        }
        defer { watch.cancel() }
        let outcome = try await test.run()
        if let file {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            file.write(String(decoding: try encoder.encode(outcome), as: UTF8.self))
        }
        if !outcome.isPassed { throw ExitCode.failure }
    }
}

extension Options.Strategy: ExpressibleByArgument {}
