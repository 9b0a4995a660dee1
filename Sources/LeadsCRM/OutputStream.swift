import ArgumentParser

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A stream that this program writes to: standard output, standard error or a file.
struct OutputStream {
    private let descriptor: Int32

    static let standardOutput = OutputStream(descriptor: STDOUT_FILENO)
    static let standardError = OutputStream(descriptor: STDERR_FILENO)

    private init(descriptor: Int32) { self.descriptor = descriptor }

    /// Creates a file that its owner alone may read, or empties the one that is there. It stays open.
    init(creating path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
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
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
