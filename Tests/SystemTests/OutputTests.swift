import Foundation
import TestSupport
import Testing

extension System {
    @Suite("Output")
    struct Outputs {
        /// Runs a script in which `leads-crm` is the command; returns the exit status and the standard error.
        private func shell(_ script: String, on url: String) async throws -> (status: Int, error: String) {
            let directory = try ScratchDirectory.makeSubdirectory("shell")
            let shell = try ChildProcess(
                ["bash", "-c", "leads-crm() { '\(Command.path.get())' \"$@\"; }; \(script)"],
                environment: ["PATH": "/usr/bin:/bin", "DATABASE_URL": url], in: directory,
                streams: .files(in: directory))
            let status = try await shell.end()
            return (status, try String(contentsOfFile: directory + "/stderr", encoding: .utf8))
        }

        @Test("Output that cannot be written: exit status 1, and why on standard error; a closed pipe is no failure")
        func unwritten() async throws {
            try await TestDatabase.with { database in
                for command in ["report", "report contacts", "report contacts --csv", "check", "migrate --status"] {
                    for (redirection, reason) in [("> /dev/full", "No space left"), (">&-", "Bad file descriptor")] {
                        let run = try await shell("leads-crm \(command) \(redirection)", on: database.url)
                        #expect(run.status == 1, "\(command) \(redirection)")
                        #expect(
                            run.error.contains("standard output") && run.error.contains(reason),
                            "\(command) \(redirection): \(run.error)")
                    }
                }
                let piped = try await shell("leads-crm report | true; leads-crm report | head -1", on: database.url)
                #expect(piped.status == 0 && piped.error.isEmpty, "\(piped)")
            }
        }

        @Test("A file that cannot be written whole: exit status 1, and its name on standard error")
        func unwrittenFile() async throws {
            try await Deployment.open { crm in
                let output = try await Command.run(
                    ["loadtest", "--url", crm.client.baseURL, "--duration", "0.1", "--warmup", "0"]
                        + ["--operators", "1", "--connections", "1", "--json", "/dev/full"])
                #expect(output.status == 1)
                #expect(output.standardError.contains("/dev/full: No space left"), "\(output)")
            }
        }
    }
}
