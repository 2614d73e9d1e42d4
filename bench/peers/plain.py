"""The peer: order, start and finish as a plain dictionary of events.

Rule: nothing but the three routes. No actors, limits, hardening, logs, metrics, nor validation of
more than the finished id; so what the café costs beyond this is what it does beyond this.
Run as `python -m bench.peers.plain hypercorn|uvicorn`; prints its addresses as the café does.
"""

from __future__ import annotations

import socket
import sys
from collections import deque
from typing import cast
from uuid import uuid4

import anyio
import trio
import uvicorn
from fastapi import FastAPI, Response
from hypercorn.config import Config
from hypercorn.trio import serve  # pyright: ignore[reportUnknownVariableType] - its WSGI part
from hypercorn.typing import ASGIFramework
from pydantic import BaseModel

app = FastAPI()
waiting: deque[str] = deque()
ready: dict[str, anyio.Event] = {}


class Finish(BaseModel):
    """Which order is ready."""

    order_id: str


@app.post("/order/")
async def order() -> dict[str, str]:
    """Wait until the order is ready."""
    order_id = uuid4().hex
    ready[order_id] = anyio.Event()
    waiting.append(order_id)
    await ready[order_id].wait()
    del ready[order_id]
    return {"order_id": order_id, "status": "ready"}


@app.get("/start/", response_model=None)
async def start() -> dict[str, str] | Response:
    """Hand out the oldest order."""
    if not waiting:
        return Response(status_code=204)
    return {"order_id": waiting.popleft()}


@app.post("/finish/")
async def finish(done: Finish) -> dict[str, str]:
    """Wake the customer."""
    ready[done.order_id].set()
    return {"order_id": done.order_id, "status": "ready"}


def announce(url: str) -> None:
    """Say that this is where both customers and baristas go."""
    print(f"client {url}\nworker {url}", flush=True)


async def on_hypercorn() -> None:
    """Serve on hypercorn and trio as they come, but for a backlog that takes the burst."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.backlog = 4096
    async with trio.open_nursery() as nursery:
        urls: list[str] = await nursery.start(
            serve,  # pyright: ignore[reportUnknownArgumentType] - its WSGI part
            cast("ASGIFramework", app),
            config,
        )
        announce(urls[0])


def on_uvicorn() -> None:
    """Serve on uvicorn at its fastest: uvloop and httptools, no access log."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    announce(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    if sys.argv[1:] == ["hypercorn"]:
        trio.run(on_hypercorn)
    elif sys.argv[1:] == ["uvicorn"]:
        on_uvicorn()
    else:
        sys.exit("usage: python -m bench.peers.plain hypercorn|uvicorn")
