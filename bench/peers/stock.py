"""The stock servers that the café is measured against, each serving one application.

Rule: they are set up to win. Nothing is logged, and the backlog and the descriptors take the burst.
"""

from __future__ import annotations

import socket
from typing import Any

import trio
import uvicorn
from hypercorn.config import Config
from hypercorn.trio import serve  # pyright: ignore[reportUnknownVariableType] - its WSGI part

from cafe.server.descriptors import raise_limit

BACKLOG = 4096
App = Any
"""An ASGI application; each server has types of its own for the protocol."""


def announce(url: str) -> None:
    """Print the address, of the customers' and of the baristas' app."""
    print(f"client {url}\nworker {url}", flush=True)


def on_hypercorn(app: App) -> None:
    """Serve on hypercorn and trio."""
    trio.run(_serve_on_hypercorn, app)


async def _serve_on_hypercorn(app: App) -> None:
    raise_limit()
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.backlog = BACKLOG
    async with trio.open_nursery() as nursery:
        urls: list[str] = await nursery.start(
            serve,  # pyright: ignore[reportUnknownArgumentType] - its WSGI part
            app,
            config,
        )
        announce(urls[0])


def on_uvicorn(app: App) -> None:
    """Serve on uvicorn at its fastest: uvloop and httptools, no access log."""
    raise_limit()
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    announce(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
