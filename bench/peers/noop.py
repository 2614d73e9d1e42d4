"""A route that does nothing, on the café's connection and on its peers.

Rule: the application is the same on every server, and of the café only the server is used: no
actors, limits, logs or metrics.
Run as `python -m bench.peers.noop SERVER APPLICATION`; prints its addresses as the café does.
"""

from __future__ import annotations

import sys
from functools import partial

import trio
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.peers.bare import on_bare_trio
from bench.peers.stock import announce, on_hypercorn, on_uvicorn
from cafe.http.problem import problem_response, request_id_of
from cafe.limits.admission import Admission
from cafe.server.config import ServerConfig
from cafe.server.context import Problems
from cafe.server.serve import serve

fastapi_app = FastAPI()
BODY = b'{"status":"ready"}'
HEAD = [(b"content-length", b"%d" % len(BODY)), (b"content-type", b"application/json")]


@fastapi_app.get("/")
async def noop() -> dict[str, str]:
    """Answer the same as the endpoint below, by way of FastAPI."""
    return {"status": "ready"}


async def asgi_app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer every request at once; have no lifespan."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": HEAD})
    await send({"type": "http.response.body", "body": BODY})


def on_door(app: ASGIApp) -> None:
    """Serve on the café's own connection."""
    trio.run(_serve_on_door, app)


async def _serve_on_door(app: ASGIApp) -> None:
    config = ServerConfig()
    config.bind = ["127.0.0.1:0"]
    uncapped = Admission(per_address=None, total=10**6)
    problems = Problems(problem_response, request_id_of)
    served = partial(serve, app, config, uncapped, problems, shutdown_trigger=trio.sleep_forever)
    async with trio.open_nursery() as nursery:
        urls: list[str] = await nursery.start(served)
        announce(urls[0])


SERVERS = {"door": on_door, "bare": on_bare_trio, "hypercorn": on_hypercorn, "uvicorn": on_uvicorn}
APPS: dict[str, ASGIApp] = {"fastapi": fastapi_app, "asgi": asgi_app}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SERVERS or sys.argv[2] not in APPS:
        sys.exit(f"usage: python -m bench.peers.noop {'|'.join(SERVERS)} {'|'.join(APPS)}")
    SERVERS[sys.argv[1]](APPS[sys.argv[2]])
