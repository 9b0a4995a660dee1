import ArgumentParser
import Synchronization

#if canImport(Glibc)
    // Its variable `stdout` is none for Swift's concurrency; here it is only read.
    @preconcurrency import Glibc
#elseif canImport(Musl)
    @preconcurrency import Musl
#else
    @preconcurrency import Darwin
#endif

/// A stream that this program writes to: standard output, standard error or a file.
struct OutputStream {
    private let descriptor: Int32
    private let name: String

    static let standardOutput = OutputStream(descriptor: STDOUT_FILENO, name: "standard output")
    static let standardError = OutputStream(descriptor: STDERR_FILENO, name: "standard error")

    private static let firstFailure = Mutex<String?>(nil)

    private init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// Creates a file that its owner alone may read, or empties the one that is there. It stays open.
    init(creating path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        name = path
        guard descriptor >= 0 else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
    }

    /// Whether it is a terminal on which a line can be written over.
    var isInteractive: Bool { isatty(descriptor) == 1 && environment("TERM") != "dumb" }

    /// Whether colours are seen and wanted (https://no-color.org).
    var hasColours: Bool { isInteractive && (environment("NO_COLOR") ?? "").isEmpty }

    /// The number of characters in a line of the terminal; 80 if it is unknown.
    var width: Int { size.ws_col > 0 ? Int(size.ws_col) : 80 }

    /// The number of lines of the terminal; 24 if it is unknown.
    var height: Int { size.ws_row > 0 ? Int(size.ws_row) : 24 }

    private var size: winsize {
        var size = winsize()
        // Stays zero where there is no terminal.
        _ = ioctl(descriptor, UInt(TIOCGWINSZ), &size)
        return size
    }

    /// Writes a text; what cannot be written is lost, and ``failure()`` tells.
    func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                #if canImport(Glibc)
                    Glibc.write(descriptor, $0.baseAddress, $0.count)
                #elseif canImport(Musl)
                    Musl.write(descriptor, $0.baseAddress, $0.count)
                #else
                    Darwin.write(descriptor, $0.baseAddress, $0.count)
                #endif
            }
            guard count > 0 else { return noteFailure() }
            rest = rest.dropFirst(count)
        }
    }

    /// Notes that writing failed, and why; whoever closed a pipe has read enough.
    private func noteFailure() {
        let code = errno
        guard code != EPIPE else { return }
        Self.firstFailure.withLock { $0 = $0 ?? "\(name): \(String(cString: strerror(code)))" }
    }

    /// Gives open descriptors to the standard streams that were closed, or what is opened next would get their output.
    static func holdStandardDescriptors() {
        // The lowest that is free; not to be written, so that writing still fails.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDONLY)
        }
    }

    /// Why something could not be written, of all that was written and printed so far; `nil`: nothing was lost.
    static func failure() -> String? {
        if fflush(stdout) != 0 || ferror(stdout) != 0 { standardOutput.noteFailure() }
        return firstFailure.withLock(\.self)
    }
}
