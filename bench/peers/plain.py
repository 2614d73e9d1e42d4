"""The peer: order, start and finish as a plain dictionary of events.

Rule: nothing but the three routes. No actors, limits, hardening, logs, metrics, nor validation of
more than the finished id; so what the café costs beyond this is what it does beyond this.
Run as `python -m bench.peers.plain hypercorn|uvicorn`; prints its addresses as the café does.
"""

from __future__ import annotations

import sys
from collections import deque
from uuid import uuid4

import anyio
from fastapi import FastAPI, Response
from pydantic import BaseModel

from bench.peers.stock import on_hypercorn, on_uvicorn

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


if __name__ == "__main__":
    servers = {"hypercorn": on_hypercorn, "uvicorn": on_uvicorn}
    if len(sys.argv) != 2 or sys.argv[1] not in servers:
        sys.exit(f"usage: python -m bench.peers.plain {'|'.join(servers)}")
    servers[sys.argv[1]](app)
