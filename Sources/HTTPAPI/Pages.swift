import Hummingbird

/// The first page for a browser.
enum Pages {
    /// What any page may load and run, so that no text of the API's can make it do more, and no frame can hold it.
    static let contentSecurityPolicy = """
        default-src 'self'; script-src 'self' 'unsafe-inline' \(Documentation.cdn); \
        style-src 'self' 'unsafe-inline' \(Documentation.cdn); img-src 'self' data:; worker-src blob:; \
        frame-ancestors 'none'
        """

    static let home = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <link rel="icon" href="data:,">
        <title>Leads CRM</title>
        <style>
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
        pre { background: #8881; padding: 1rem; overflow-x: auto }
        @media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } a { color: #8bf } }
        </style>
        </head>
        <body>
        <h1>Leads CRM</h1>
        <p>Gives each contact of a lead to one operator of its source, by weight, and to nobody more than their limit.</p>
        <ul>
        <li><a href="/docs">Try the API</a></li>
        <li><a href="/redoc">Read about it</a></li>
        <li><a href="/openapi.json">Its OpenAPI description</a></li>
        </ul>
        <pre>curl -X POST <span id="service">http://localhost:8000</span>/api/v1/contacts \\
          -H 'Content-Type: application/json' \\
          -d '{"source_id": 1, "lead_phone": "+79001234567"}'</pre>
        <script>document.getElementById("service").textContent = location.origin</script>
        </body>
        </html>
        """
}

extension Response {
    static func html(_ page: String) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/html; charset=utf-8", .contentSecurityPolicy: Pages.contentSecurityPolicy],
            body: ResponseBody(byteBuffer: ByteBuffer(string: page)))
    }
}
