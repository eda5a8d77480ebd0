# docker build -t postern .
# docker run --rm -v postern:/var/lib/postern -e POSTERN_DECISIONS_LISTEN=unix:///var/lib/postern/decisions.sock postern
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w" -o /out/postern ./cmd/postern \
 && mkdir -m 0700 /out/state

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/postern /postern
COPY --from=build --chown=65532:65532 /out/state /var/lib/postern
# A socket lies in a volume that begins as a copy of this.
COPY --from=build --chown=65532:65532 /out/state /run/postern
ENV POSTERN_STATE=/var/lib/postern
VOLUME /var/lib/postern
USER 65532:65532
# Decisions, and metrics with probes. Both listen on loopback unless told
# otherwise: deploy/README.md.
EXPOSE 8181 8183
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/postern", "healthcheck"]
ENTRYPOINT ["/postern"]
CMD ["serve"]
