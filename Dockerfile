# docker build -t postern --build-arg VERSION=$(git describe --tags --always) --build-arg REVISION=$(git rev-parse HEAD) .
# docker run --rm -v postern:/var/lib/postern -e POSTERN_DECISIONS_LISTEN=unix:///var/lib/postern/decisions.sock postern
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w" -o /out/postern ./cmd/postern \
 && mkdir -m 0700 /out/state

FROM scratch
ARG VERSION=devel REVISION=unknown
LABEL org.opencontainers.image.title="Postern" \
      org.opencontainers.image.description="Authorization decisions for customer portals, from Rego policies and cached grants" \
      org.opencontainers.image.source="https://github.com/postern-authz/postern" \
      org.opencontainers.image.documentation="https://github.com/postern-authz/postern/blob/main/deploy/README.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/postern /postern
COPY --from=build --chown=65532:65532 /out/state /var/lib/postern
# A socket lies in a volume that begins as a copy of this.
COPY --from=build --chown=65532:65532 /out/state /run/postern
ENV POSTERN_STATE=/var/lib/postern
VOLUME /var/lib/postern
USER 65532:65532
# Decisions, administration, and metrics with probes. All listen on loopback
# unless told otherwise: deploy/README.md.
EXPOSE 8181 8182 8183
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/postern", "healthcheck"]
ENTRYPOINT ["/postern"]
CMD ["serve"]
