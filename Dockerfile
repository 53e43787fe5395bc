# traitstream in an image of its own: the static binary, the list of what it is made of
# (/usr/share/sbom/traitstream.cdx.json), the certificates of public authorities, and nothing else.
#
#   docker compose build
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t traitstream:0.1.0 .
#
# Put a configuration at /etc/traitstream/traitstream.yaml and a volume at /var/lib/traitstream; the root file system may
# be read-only. The process listens on loopback unless TRAITSTREAM_HTTP_LISTEN, or http.listen, says otherwise.

FROM golang:1.26 AS tools
WORKDIR /tools
COPY tools/cyclonedx-gomod.mod go.mod
COPY tools/cyclonedx-gomod.sum go.sum
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -o /bin/cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=
# grpcnotrace leaves out pages of a library for which the linker would keep a quarter of the binary more.
# Without a version it is the commit. There may be no git here, so it is read from git's own files, where they are.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    head=$(cat .git/HEAD 2>/dev/null || true); ref=${head#ref: }; \
    commit=$(cat ".git/$ref" 2>/dev/null || sed -n "s|^\([0-9a-f]*\) $ref\$|\1|p" .git/packed-refs 2>/dev/null || true); \
    [ "$ref" != "$head" ] || commit=$head; \
    version=${VERSION:-devel${commit:+-$(echo "$commit" | cut -c 1-12)}}; \
    CGO_ENABLED=0 go build -tags grpcnotrace -trimpath -buildvcs=false -ldflags "-s -w -X main.release=$version" -o /out/usr/bin/traitstream ./cmd/traitstream \
 && echo "$version" >/version && mkdir -p /out/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && mkdir -m 1777 /out/tmp && mkdir -m 0700 /state

# What the binary is made of: every module, with version and hash.
COPY --from=tools /bin/cyclonedx-gomod /bin/
RUN mkdir -p /out/usr/share/sbom && cyclonedx-gomod bin -json -std -noserial -notimestamp -version "$(cat /version)" \
      -output /out/usr/share/sbom/traitstream.cdx.json /out/usr/bin/traitstream

FROM scratch
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="traitstream" \
      org.opencontainers.image.description="Keeps each user's last-seen treatments as traits, in Kafka" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION:-devel}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out /
COPY --from=build --chown=65532:65532 /state /var/lib/traitstream
# The state is a folder below the volume's root, which the process makes its own (0700) whoever the volume belongs to.
ENV PATH=/usr/bin TRAITSTREAM_STATE_DIR=/var/lib/traitstream/state
WORKDIR /etc/traitstream
USER 65532:65532
EXPOSE 8080
VOLUME /var/lib/traitstream
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=5m --retries=3 CMD ["/usr/bin/traitstream", "status", "--local"]
ENTRYPOINT ["/usr/bin/traitstream"]
CMD ["run"]
