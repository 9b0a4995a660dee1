import Hummingbird
import NIOCore
import _NIOFileSystem

/// The pages `/docs` and `/redoc`, with the files of Swagger UI and Redoc that they load.
public struct Documentation: Sendable {
    /// Where browsers get the files unless the service has them.
    static let cdn = "https://cdn.jsdelivr.net"

    private static let swaggerUIScript = Asset(
        name: "swagger-ui-bundle.js", contentType: "text/javascript; charset=utf-8",
        package: "swagger-ui-dist@5.33.1",
        integrity: "sha384-ZPehFMQommnnuaZ4rpxgkgTT2DKFVp4hZC/7pLit+9Lek9T1YGSo23eHFbvNkXkw")
    private static let swaggerUIStyle = Asset(
        name: "swagger-ui.css", contentType: "text/css; charset=utf-8",
        package: "swagger-ui-dist@5.33.1",
        integrity: "sha384-Ov4/wv3j2bmct8cDc5X4ngJZohVPzEmc6uDPH8WeljUxO5vtoykvMEfbu9Vh6RaW")
    private static let redocScript = Asset(
        name: "redoc.standalone.js", contentType: "text/javascript; charset=utf-8",
        package: "redoc@2.5.4/bundles",
        integrity: "sha384-w447zOpYfw/1Tv/5AK9NfHTlQIqE3RVR6KY62jCyy9zNDgO64cMwGGP1Fj0zJVf5")

    private struct Asset {
        let name: String
        let contentType: String
        /// The npm package with its version and the folder in it.
        let package: String
        /// The hash by which a browser knows that the CDN gave it this very file (Subresource Integrity).
        let integrity: String
    }

    /// An asset that could not be read, and why.
    public struct UnreadableAsset: Error, CustomStringConvertible {
        public let description: String
    }

    /// What the service has of the assets, by name: all or nothing.
    private let files: [String: Response]

    /// Pages that load what they need from a CDN, in versions that are pinned.
    public init() { files = [:] }

    /// Pages that load what they need from this service.
    ///
    /// - Parameter directory: A directory with `swagger-ui-bundle.js`, `swagger-ui.css` and `redoc.standalone.js`,
    ///   which are read once. Whoever puts them there answers for their version.
    /// - Throws: ``UnreadableAsset`` if one of them is missing or cannot be read.
    public init(assetsIn directory: String) async throws {
        var files: [String: Response] = [:]
        for asset in [Self.swaggerUIScript, Self.swaggerUIStyle, Self.redocScript] {
            do {
                let file = try await ByteBuffer(
                    contentsOf: FilePath("\(directory)/\(asset.name)"), maximumSizeAllowed: .mebibytes(64))
                files[asset.name] = Response(
                    status: .ok, headers: [.contentType: asset.contentType, .cacheControl: "public, max-age=3600"],
                    body: ResponseBody(byteBuffer: file))
            } catch let error as FileSystemError {
                throw UnreadableAsset(description: "\(directory)/\(asset.name) cannot be read: \(error.code)")
            }
        }
        self.files = files
    }

    /// - Throws: ``Refusal/notFound`` if there is no asset of that name, or the CDN has it.
    func asset(_ name: String) throws(Refusal) -> Response {
        guard let file = files[name] else { throw .notFound }
        return file
    }

    var swaggerUI: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <link rel="icon" href="data:,">
        <title>Leads CRM - Swagger UI</title>
        <link rel="stylesheet" href=\(location(of: Self.swaggerUIStyle))>
        </head>
        <body>
        <div id="swagger-ui"></div>
        <script src=\(location(of: Self.swaggerUIScript))></script>
        <script>
        SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, showCommonExtensions: true })
        </script>
        </body>
        </html>
        """
    }

    var redoc: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <link rel="icon" href="data:,">
        <title>Leads CRM - ReDoc</title>
        <style>body { margin: 0 }</style>
        </head>
        <body>
        <redoc spec-url="/openapi.json"></redoc>
        <script src=\(location(of: Self.redocScript))></script>
        </body>
        </html>
        """
    }

    /// The value of a `src` or `href`, and the attributes that go with it.
    private func location(of asset: Asset) -> String {
        if files.isEmpty {
            """
            "\(Self.cdn)/npm/\(asset.package)/\(asset.name)" integrity="\(asset.integrity)" crossorigin="anonymous"
            """
        } else {
            "\"/docs/assets/\(asset.name)\""
        }
    }
}
