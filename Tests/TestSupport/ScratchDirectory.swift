import Foundation

/// The directory in which this test process keeps its clusters and runs its programs.
///
/// A shell waits for the test process to end, however that happens, then ends every process whose working
/// directory lies in this directory, and removes it. Programs that tests start therefore get a working directory
/// from here.
public enum ScratchDirectory {
    /// Makes a new, empty subdirectory that every user may read.
    ///
    /// - Parameter name: What it is for: the beginning of its name.
    /// - Returns: Its absolute path.
    public static func makeSubdirectory(_ name: String) throws -> String {
        let path = try root.get().path + "/\(name)-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        return path
    }

    private struct Root: Sendable {
        let path: String
        /// Its end of file tells the shell that the test process has ended.
        let lifeline: SocketPair
    }

    private static let root = Result {
        // Unix sockets lie in here, and their paths may be 107 bytes long: hence not NSTemporaryDirectory().
        let path = "/tmp/leads-crm-tests-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        let lifeline = try SocketPair()
        _ = try ChildProcess(["sh", "-c", reap, "sh", path], in: "/", streams: .socket(lifeline.theirs))
        try lifeline.theirs.close()
        return Root(path: path, lifeline: lifeline)
    }

    // SIGQUIT is PostgreSQL's immediate shutdown, and ends any other program at once too.
    private static let reap = """
        read -r _
        living() {
            for process in /proc/[0-9]*; do
                case "$(readlink "$process/cwd")" in "$1"/*) echo "${process#/proc/}" ;; esac
            done
        }
        while processes=$(living "$1") && [ -n "$processes" ]; do
            kill -QUIT $processes
            sleep 0.2
        done
        rm -rf "$1"
        """
}
