import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The kind of an error, in the few words by which errors are counted.
func errorKind(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
        if let failure = error.connectionErrors.first { return errorKind(failure.error) }
        return "unknown host \(error.host)"
    case let error as IOError: return String(cString: strerror(error.errnoCode)).lowercased()
    case ChannelError.connectTimeout: return "connection timed out"
    case HTTPParserError.invalidEOFState: return "connection closed"
    case is HTTPParserError: return "not HTTP"
    default: return String(describing: error)
    }
}
