# The server as an image. What pip installs is pinned and hashed, the build's tools too.

FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements-build.lock requirements-image.lock ./
# The shop's environment has no pip; the build's pip installs into it.
RUN python -m venv --without-pip /opt/cafe \
    && python -m pip --python /opt/cafe/bin/python install --require-hashes --no-deps -r requirements-image.lock \
    && python -m pip install --require-hashes --no-deps -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY actors actors
COPY cafe cafe
RUN python -m pip wheel --no-build-isolation --no-deps --wheel-dir dist ./actors . \
    && python -m pip --python /opt/cafe/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.13-slim-bookworm
# All interfaces of the container: `docker run` decides which ports are published, and where.
ENV PATH=/opt/cafe/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CAFE_CLIENT_BIND=0.0.0.0:8080 \
    CAFE_WORKER_BIND=0.0.0.0:8081 \
    CAFE_LOG_FORMAT=json \
    CAFE_DATABASE_URL=sqlite:////var/lib/cafe/cafe.db \
    CAFE_MAIL_DIR=/var/lib/cafe/mail
RUN install --directory --owner=10001 --group=10001 /var/lib/cafe
COPY --from=build /opt/cafe /opt/cafe
WORKDIR /cafe
COPY hypercorn_client.toml hypercorn_worker.toml ./
USER 10001:10001
# The ledger: without a volume here, orders are lost with the container.
VOLUME /var/lib/cafe
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# Liveness, not readiness: a restart would not help while the shop is closing or its database is down.
# http.client and not urllib, which would use a proxy from the environment.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=2); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["cafe", "serve"]
