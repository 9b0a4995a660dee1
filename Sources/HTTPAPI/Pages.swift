import Hummingbird

/// The pages for a browser.
enum Pages {
    static let home = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
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
        <pre>curl -X POST http://localhost:8000/api/v1/contacts \\
          -H 'Content-Type: application/json' \\
          -d '{"source_id": 1, "lead_phone": "+79001234567"}'</pre>
        </body>
        </html>
        """

    static let swaggerUI = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Leads CRM - Swagger UI</title>
        <link rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.33.1/swagger-ui.css"
        integrity="sha384-Ov4/wv3j2bmct8cDc5X4ngJZohVPzEmc6uDPH8WeljUxO5vtoykvMEfbu9Vh6RaW" crossorigin="anonymous">
        </head>
        <body>
        <div id="swagger-ui"></div>
        <script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.33.1/swagger-ui-bundle.js"
        integrity="sha384-ZPehFMQommnnuaZ4rpxgkgTT2DKFVp4hZC/7pLit+9Lek9T1YGSo23eHFbvNkXkw" crossorigin="anonymous"></script>
        <script>
        SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, showCommonExtensions: true })
        </script>
        </body>
        </html>
        """

    static let redoc = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Leads CRM - ReDoc</title>
        <style>body { margin: 0 }</style>
        </head>
        <body>
        <redoc spec-url="/openapi.json"></redoc>
        <script src="https://cdn.jsdelivr.net/npm/redoc@2.5.4/bundles/redoc.standalone.js"
        integrity="sha384-w447zOpYfw/1Tv/5AK9NfHTlQIqE3RVR6KY62jCyy9zNDgO64cMwGGP1Fj0zJVf5" crossorigin="anonymous"></script>
        </body>
        </html>
        """
}

extension Response {
    static func html(_ page: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: page)))
    }
}
