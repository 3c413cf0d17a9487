# The server as an image. Targets: cpu (the last, so the default) and cuda. docs/container.md says how to build and run them.
#
# Build arguments: BASE (a Debian with Python 3.11 and its venv module), SOURCE (a checkpoint to export into the image;
# default: none, the model is mounted at /models), EXTRAS (of the package, with commas between them: otel for tracing),
# VERSION, REVISION.
# Build secrets, both optional: pip (becomes /etc/pip.conf) and ca (a certificate bundle). Neither stays in a layer.
ARG BASE=python:3.11-slim-bookworm

# A folder with a checkpoint or none: replaced by --build-context checkpoint=DIR.
FROM scratch AS checkpoint

FROM ${BASE} AS source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    PIP_CONSTRAINT=/src/constraints/default.txt
# pip works from an environment of its own, so that it is not in the one that is shipped.
RUN python3 -m venv /pip && python3 -m venv --without-pip /opt/polyseme
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY constraints/default.txt constraints/
COPY proto/polyseme proto/polyseme
COPY runtime/polyseme runtime/polyseme
COPY export/polyseme export/polyseme
COPY server/polyseme server/polyseme
COPY client/polyseme client/polyseme
COPY gateway/polyseme gateway/polyseme
COPY integrations/polyseme integrations/polyseme
COPY cli/polyseme cli/polyseme

FROM source AS build-cpu
ARG EXTRAS=""
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    /pip/bin/pip --python /opt/polyseme/bin/python install --no-compile ".[server${EXTRAS:+,${EXTRAS}}]"
# Compiled here, since the image is read-only later; not checked against time stamps, which copying may change.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/polyseme/lib

FROM source AS build-cuda
COPY deploy/cuda.txt deploy/
ARG EXTRAS=""
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    /pip/bin/pip --python /opt/polyseme/bin/python install --no-compile -r deploy/cuda.txt ".[gpu${EXTRAS:+,${EXTRAS}}]"
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/polyseme/lib

# /models: empty, or the artifact of SOURCE.
FROM build-cpu AS model
ARG SOURCE=""
COPY --from=checkpoint / /checkpoint/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -z "${SOURCE}" ]; then mkdir /models; exit; fi \
    && /pip/bin/pip --python /opt/polyseme/bin/python install --no-compile '.[server,export]' \
    && /opt/polyseme/bin/polyseme export "${SOURCE}" -o /models

FROM ${BASE} AS runtime
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=unknown
# No label `created`: the same commit has the same labels, and the image says itself when it was built. No `source`, `url` or
# `documentation`: there is no public address yet.
LABEL org.opencontainers.image.title="polyseme" \
      org.opencontainers.image.description="A gRPC inference server for contextual embeddings" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# onnxruntime's builds send usage data to their maker unless they are told not to. POLYSEME_TARGET is whom
# `polyseme health` asks. POLYSEME_HOST, not a flag, so that it can be set otherwise: what is published reaches the
# container by its own address, not by loopback.
ENV PATH=/opt/polyseme/bin:${PATH} \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONFAULTHANDLER=1 \
    ORT_DISABLE_TELEMETRY=1 \
    POLYSEME_HOST=0.0.0.0 \
    POLYSEME_TARGET=127.0.0.1:50051
COPY --from=model /models /models
EXPOSE 50051 9000
STOPSIGNAL SIGTERM
# Ready, not only alive: unhealthy while it loads (within the start period) and while it drains.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["polyseme", "health", "--service", "polyseme.v1.EmbeddingService"]
USER 65532:65532
WORKDIR /
ENTRYPOINT ["polyseme", "serve"]
CMD ["/models"]

FROM runtime AS cuda
# `cuda`, not `auto`: without a GPU this image refuses to start instead of serving slowly.
ENV POLYSEME_DEVICE=cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/polyseme /opt/polyseme

FROM runtime AS cpu
COPY --from=build-cpu /opt/polyseme /opt/polyseme
