# The image of leads-crm; with `--target test` the one that tests it.

FROM swift:6.3-bookworm AS source
WORKDIR /leads-crm
COPY scripts/setup scripts/
# hadolint ignore=DL3008 # a released Debian changes versions for security only
RUN scripts/setup && apt-get install --yes --no-install-recommends curl shellcheck # which scripts/test takes
COPY . .


FROM source AS test
ENTRYPOINT ["scripts/test"]


FROM source AS build
# The cache keeps what is compiled, so that a change compiles only what it touches. SQLite, which only `import-sqlite`
# takes, is linked statically, as the linker finds nothing but its archive. Debug information goes, as most of the size;
# symbols stay, as backtraces take the names of functions from them.
RUN --mount=type=cache,target=/leads-crm/.build \
    rm "$(pkg-config --variable=libdir sqlite3)/libsqlite3.so" \
    && swift build --quiet -c release --static-swift-stdlib --product leads-crm \
    && strip --strip-debug -o leads-crm \
        "$(swift build -c release --static-swift-stdlib --show-bin-path)/leads-crm"


# The assets of /docs and /redoc from a package that redistributes them: no others than those whose digests the pages
# name for the CDN.
FROM python:3.13-slim-bookworm AS docs
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN pip install --no-cache-dir --no-deps --target /package drf-spectacular-sidecar==2026.10.1
WORKDIR /docs
COPY Sources/HTTPAPI /HTTPAPI
RUN assets=/package/drf_spectacular_sidecar/static/drf_spectacular_sidecar \
    && cp $assets/swagger-ui-dist/swagger-ui-bundle.js $assets/swagger-ui-dist/swagger-ui.css \
        $assets/redoc/bundles/redoc.standalone.js . \
    && for file in *; do \
        digest=$(openssl dgst -sha384 -binary "$file" | base64 --wrap=0); \
        grep --recursive --quiet --fixed-strings "sha384-$digest" /HTTPAPI || { echo "Not as pinned: $file"; exit 1; }; \
    done \
    && cp $assets/swagger-ui-dist/LICENSE swagger-ui.LICENSE \
    && cp $assets/redoc/LICENSE redoc.LICENSE


FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libpq5 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /nonexistent --shell /usr/sbin/nologin leads-crm
COPY --from=build /usr/libexec/swift/linux/swift-backtrace-static /usr/libexec/swift/linux/
COPY --from=docs /docs /usr/share/leads-crm/docs
COPY --from=build /leads-crm/leads-crm /usr/bin/
# A crash is logged with a backtrace, but without registers and memory, which may hold what leads wrote.
ENV HOST=0.0.0.0 \
    DOCS_ASSETS_DIR=/usr/share/leads-crm/docs \
    SWIFT_BACKTRACE=enable=yes,interactive=no,color=no,registers=none,swift-backtrace=/usr/libexec/swift/linux/swift-backtrace-static
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Asks whether the process lives, not whether it is ready: a database that is away is no reason to replace instances.
# Bash has all it takes, and no program comes in for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=1m CMD ["bash", "-c", "\
    exec 3<>/dev/tcp/127.0.0.1/${PORT:-8000} \
    && printf 'GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 \
    && read -r _ status _ <&3 && [[ $status == 200 ]]"]
ENTRYPOINT ["leads-crm"]
CMD ["serve"]
ARG REVISION
LABEL org.opencontainers.image.title="Leads CRM" \
    org.opencontainers.image.description="Distributes leads' contacts among operators by weights and load limits, on PostgreSQL" \
    org.opencontainers.image.revision="$REVISION"
