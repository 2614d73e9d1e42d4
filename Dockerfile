# The server as an image. What pip installs is pinned and hashed, the build's tools too.
# The base can be pinned by its digest: --build-arg BASE=python:3.13-slim-bookworm@sha256:...
# Two builds give the same layers: what is compiled is checked by nothing (unchecked-hash), neither by
# times, which each build sets, nor by the source's hash, since an image does not change.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONHASHSEED=0
WORKDIR /build
COPY requirements-image.lock ./
# The shop's environment has no pip; the build's pip installs into it.
RUN python -m venv /opt/build \
    && python -m venv --without-pip /opt/cafe \
    && /opt/build/bin/python -m pip --python /opt/cafe/bin/python install --no-compile --require-hashes --no-deps -r requirements-image.lock \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/cafe/lib

FROM dependencies AS code
COPY requirements-build.lock ./
RUN /opt/build/bin/python -m pip install --require-hashes --no-deps -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY actors actors
COPY cafe cafe
# Into a folder of its own, so that it becomes a layer of its own; compiled as what it is in the image.
RUN /opt/build/bin/python -m pip wheel --no-build-isolation --no-deps --wheel-dir dist ./actors . \
    && /opt/build/bin/python -m pip --python /opt/cafe/bin/python install --no-compile --no-deps --no-index --prefix /opt/code dist/*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash -s /opt/code -p /opt/cafe /opt/code/lib

FROM ${BASE}
# The standard library, which the usual base has not compiled. Group 0 may write, as platforms that choose a user want it.
RUN python -m compileall -q --invalidation-mode unchecked-hash -x '/(site-packages|dist-packages|test|idlelib|tkinter|turtledemo|ensurepip)/' \
        "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && install --directory --owner=10001 --group=0 --mode=0770 /var/lib/cafe
COPY --from=dependencies /opt/cafe /opt/cafe
COPY hypercorn_client.toml hypercorn_worker.toml /cafe/
COPY --from=code /opt/code /opt/cafe
# All interfaces of the container: `docker run` decides which ports are published, and where. Nothing says who may use
# the baristas' port, so that the shop does not start before that is said.
ENV PATH=/opt/cafe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CAFE_CLIENT_BIND=0.0.0.0:8080 \
    CAFE_WORKER_BIND=0.0.0.0:8081 \
    CAFE_CLIENT_CONFIG=/cafe/hypercorn_client.toml \
    CAFE_WORKER_CONFIG=/cafe/hypercorn_worker.toml \
    CAFE_LOG_FORMAT=json
# The ledger and letters are files here: without a volume, orders are lost with the container.
WORKDIR /var/lib/cafe
VOLUME /var/lib/cafe
USER 10001:10001
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# Liveness, not readiness: a restart would not help while the shop is closing or its database is down.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s --retries=3 CMD ["cafe", "health"]
ENTRYPOINT ["cafe"]
CMD ["serve"]
ARG BASE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cafe" \
      org.opencontainers.image.description="A coffee shop as a server: actors on trio, two FastAPI apps, one process" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
