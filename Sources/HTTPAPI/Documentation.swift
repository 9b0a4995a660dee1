import HTTPTypes
import NIOCore
import _NIOFileSystem

/// The pages `/docs` and `/redoc`, with the files that they load.
public struct Documentation: Sendable {
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

        /// Where browsers get the file unless the service has it.
        var urlAtCDN: String { "https://cdn.jsdelivr.net/npm/\(package)/\(name)" }
    }

    /// An asset that could not be read, and why.
    public struct UnreadableAsset: Error, CustomStringConvertible {
        public let description: String
    }

    /// The files that the pages load, by name: ours, and the assets if the service has them.
    private let files: [String: Response]
    private let hasAssets: Bool

    private static let ownFiles: [(name: String, contentType: String, bytes: [UInt8])] = {
        let script = "text/javascript; charset=utf-8"
        return [
            ("page.css", "text/css; charset=utf-8", PackageResources.page_css),
            ("home.js", script, PackageResources.home_js),
            ("docs.js", script, PackageResources.docs_js),
            ("description.js", script, PackageResources.description_js),
            ("operations.js", script, PackageResources.operations_js),
            ("form.js", script, PackageResources.form_js),
            ("element.js", script, PackageResources.element_js),
        ]
    }()
    private static let assets = [swaggerUIScript, swaggerUIStyle, redocScript]

    /// The names of all files that there can be.
    static var fileNames: [String] { ownFiles.map(\.name) + assets.map(\.name) }

    private static let ownResponses: [String: Response] = ownFiles.reduce(into: [:]) { responses, file in
        // Not kept: after an upgrade one of before does not go with the others.
        responses[file.name] = Response(
            status: .ok, headers: [.contentType: file.contentType, .cacheControl: "no-cache"],
            body: ByteBuffer(bytes: file.bytes))
    }

    /// Pages that load Swagger UI and Redoc from a CDN, in versions that are pinned.
    public init() {
        files = Self.ownResponses
        hasAssets = false
    }

    /// Pages that load Swagger UI and Redoc from this service.
    ///
    /// - Parameter directory: A directory with `swagger-ui-bundle.js`, `swagger-ui.css` and `redoc.standalone.js`,
    ///   which are read once. Whoever puts them there answers for their version.
    /// - Throws: ``UnreadableAsset`` if one of them is missing or cannot be read.
    public init(assetsIn directory: String) async throws {
        var files = Self.ownResponses
        for asset in Self.assets {
            do {
                let file = try await ByteBuffer(
                    contentsOf: FilePath("\(directory)/\(asset.name)"), maximumSizeAllowed: .mebibytes(64))
                files[asset.name] = Response(
                    status: .ok, headers: [.contentType: asset.contentType, .cacheControl: "public, max-age=3600"],
                    body: file)
            } catch let error as FileSystemError {
                throw UnreadableAsset(description: "\(directory)/\(asset.name) cannot be read: \(error.code)")
            }
        }
        self.files = files
        hasAssets = true
    }

    /// - Throws: ``Refusal/notFound`` if there is no file of that name, or the CDN has it.
    func asset(_ name: String) throws(Refusal) -> Response {
        guard let file = files[name] else { throw .notFound }
        return file
    }

    var swaggerUI: Response {
        page(titled: "Swagger UI", script: Self.swaggerUIScript, style: Self.swaggerUIStyle)
    }

    var redoc: Response { page(titled: "ReDoc", script: Self.redocScript) }

    /// A page whose script loads the assets or, where they cannot be had, shows the description by itself.
    private func page(titled title: String, script: Asset, style: Asset? = nil) -> Response {
        let styleTag = style.map { "<link rel=\"stylesheet\" href=\(location(of: $0))>" } ?? ""
        let page = ByteBuffer(
            pageTitled: title,
            head: """
                <script type="module" src="/docs/assets/docs.js"></script>
                <template>\(styleTag)<script src=\(location(of: script))></script></template>

                """,
            body: """
                <main></main>
                <noscript>A script makes this page from <a href="/openapi.json">/openapi.json</a>. Allow scripts for this
                address, or read the description there.</noscript>
                """)
        return .html(
            page,
            // Both viewers write styles into the page, and Redoc searches in a worker that it makes.
            allowing: [
                "script-src \(sources(of: script))", "style-src \(sources(of: style)) 'unsafe-inline'",
                "worker-src blob:",
            ])
    }

    /// The value of a `src` or `href`, and the attributes that go with it.
    private func location(of asset: Asset) -> String {
        if hasAssets {
            "\"/docs/assets/\(asset.name)\""
        } else {
            "\"\(asset.urlAtCDN)\" integrity=\"\(asset.integrity)\" crossorigin=\"anonymous\""
        }
    }

    /// Where a page's files come from: of the CDN's nothing but the asset.
    private func sources(of asset: Asset?) -> String {
        guard let asset, !hasAssets else { return "'self'" }
        return "'self' \(asset.urlAtCDN)"
    }
}
