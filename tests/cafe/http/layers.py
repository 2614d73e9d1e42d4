"""The outermost layer around an app, as the shop puts it around both of its apps."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from cafe.http.outer_layer import OuterLayer, RequestMetrics


def with_outer_layer(app: ASGIApp, *prefixes: str) -> OuterLayer:
    """Return `app` in an outer layer with metrics of its own, under `/api` if not told."""
    return OuterLayer(
        app, *(prefixes or ("/api",)), name="app", metrics=RequestMetrics(CollectorRegistry())
    )
