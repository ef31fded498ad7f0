# syntax=docker/dockerfile:1
# A static binary on a base with nothing but certificates, time zones and a passwd file.
# Both bases are arguments: .ci/image swaps them to build without a registry.
ARG BUILD_IMAGE=docker.io/library/rust:1-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# A dependency compiles zlib-ng, which builds with cmake. The version is the base image's affair.
# hadolint ignore=DL3008
RUN command -v cmake >/dev/null || { \
        apt-get update \
        && apt-get install -y --no-install-recommends cmake \
        && rm -rf /var/lib/apt/lists/*; \
    }
WORKDIR /src
COPY . .
# glibc linked statically, besides what .cargo/config.toml says. That holds for the program but not for procedural macros,
# which are libraries: naming the target, though it is this machine's own, keeps the flag away from them.
# The cache holds compiled dependencies only as long as their sources are the same; our own are newer by the touch.
RUN --mount=type=cache,target=/src/target \
    touch src/lib.rs src/main.rs \
    && cargo build --release --locked --bin vacpack --target "$(rustc --print host-tuple)" \
       --config 'target."cfg(unix)".rustflags = ["-C", "target-feature=+crt-static"]' \
    && cp "target/$(rustc --print host-tuple)/release/vacpack" /vacpack

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vacpack" \
      org.opencontainers.image.description="A sidecar that compresses, caches, labels and measures any HTTP app" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY LICENSE /LICENSE
COPY --from=build /vacpack /vacpack
# "nonroot" of the distroless images, as a number so that Kubernetes can check runAsNonRoot.
USER 65532:65532
# The proxy, and the admin listener with probes and metrics. No HEALTHCHECK: the probes are the orchestrator's.
EXPOSE 8080 9901
ENTRYPOINT ["/vacpack"]
