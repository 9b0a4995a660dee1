#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Prints lines, through a pager if they are more than the terminal shows at once.
///
/// - Parameter command: The pager, as a command for the shell; `nil` for none.
func page(_ lines: [String], pager command: String?) {
    let text = lines.map { $0 + "\n" }.joined()
    let output = OutputStream.standardOutput
    // The shell's prompt takes a line.
    guard let command, output.isInteractive, lines.count >= output.height else { return output.write(text) }
    // As git does: leave what fits, keep colours, do not wrap, and do not clear the screen.
    setenv("LESS", "FRSX", 0)
    guard let pipe = popen(command, "w") else { return output.write(text) }
    // Ctrl-C is the pager's, and whoever leaves it early has seen enough.
    signal(SIGINT, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
    fputs(text, pipe)
    // The shell's statuses for a command that it cannot run or find (POSIX).
    if [126, 127].contains(pclose(pipe) >> 8) { output.write(text) }
}

/// The pager: the one that `PAGER` names, else `less` or `more`; `nil` if `PAGER` is blank.
var standardPager: String? {
    guard let name = environment("PAGER") else {
        return #"exec "$(command -v less || command -v more || echo cat)""#
    }
    return name.allSatisfy(\.isWhitespace) ? nil : name
}
