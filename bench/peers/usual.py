"""The peer made the usual way: the same routes, from the libraries that most would use.

Rule: it is what a competent engineer would deliver, and it is set up to win. FastAPI on uvicorn
with uvloop and httptools; orders are rows in SQLite (WAL, synchronous FULL), each transition a
committed transaction of SQLAlchemy in a thread; slowapi limits the order route, prometheus_client
counts and times each request, uvicorn writes its access log. Customers wait on an `asyncio.Event`.

It does not pay for what only the café has: events beside the orders, a committed hand-over, leases,
bans, bounded waiting, customers who disconnect, orders that survive a restart.

SQLite has one writer at a time, and a commit waits for the disk. So three threads share the work:
one commits while the others prepare, and requests wait for a thread in the event loop. This was
faster than one thread, and than the 40 that FastAPI has for `def` endpoints.
Run as `python -m bench.peers.usual FILE`; prints its addresses as the café does.
"""

from __future__ import annotations

import asyncio
import copy
import socket
import sqlite3
import sys
from collections.abc import Callable, Mapping
from time import perf_counter, time
from typing import Any, TypeVar
from uuid import uuid4

import anyio.to_thread
import uvicorn
import uvloop
from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address
from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import LOGGING_CONFIG

from bench.peers.stock import BACKLOG
from cafe.server.descriptors import raise_limit

R = TypeVar("R")
WRITERS = 3
PER_ADDRESS = "1000000/minute"
"""The limit counts every order and refuses none, as the café's does in this load."""

REQUESTS = Counter("requests", "Requests answered.", ("method", "route", "status"))
SECONDS = Histogram("request_seconds", "How long they took.", ("method", "route"))


class Base(DeclarativeBase):
    """The tables."""


class Order(Base):
    """One order, from the ticket to the coffee."""

    __tablename__ = "orders"

    number: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(unique=True)
    drink: Mapped[str] = mapped_column(default="americano")
    status: Mapped[str] = mapped_column(default="waiting", index=True)
    placed_at: Mapped[float]
    started_at: Mapped[float | None]
    ready_at: Mapped[float | None]


class Orders:
    """The orders in the database; each method is one transaction, and runs in a thread."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def place(self, order_id: str) -> None:
        """Add an order."""
        with self._sessions.begin() as session:
            session.add(Order(order_id=order_id, placed_at=time()))

    def start(self) -> str | None:
        """Claim the oldest order, if there is one."""
        oldest = select(Order.number).where(Order.status == "waiting").order_by(Order.number)
        claim = (
            update(Order)
            .where(Order.number == oldest.limit(1).scalar_subquery())
            .values(status="preparation", started_at=time())
            .returning(Order.order_id)
        )
        with self._sessions.begin() as session:
            return session.execute(claim).scalar()

    def finish(self, order_id: str) -> bool:
        """Declare an order ready; return False if it is not in preparation."""
        done = (
            update(Order)
            .where(Order.order_id == order_id, Order.status == "preparation")
            .values(status="ready", ready_at=time())
            .returning(Order.order_id)
        )
        with self._sessions.begin() as session:
            return session.execute(done).scalar() is not None


def open_database(file: str) -> Engine:
    """Open the file with the best settings of SQLite for this, and create the tables."""
    arguments = {"timeout": 60, "check_same_thread": False}
    engine = create_engine(f"sqlite:///{file}", pool_size=WRITERS, connect_args=arguments)

    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE"
        )  # waits for the lock, where BEGIN can fail later

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
    Base.metadata.create_all(engine)
    return engine


class Measured:
    """ASGI middleware: counts and times each request by its route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is not HTTP is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(scope["method"], route).observe(perf_counter() - began)


class Finish(BaseModel):
    """Which order is ready."""

    order_id: str


async def too_many(_request: Request, _error: Exception) -> Response:
    """Refuse an address that is over its limit."""
    return JSONResponse({"detail": "too many orders"}, 429)


def make_apps(orders: Orders) -> tuple[FastAPI, FastAPI]:
    """Return the customers' and the baristas' application."""
    client, worker = FastAPI(), FastAPI()
    limiter = Limiter(key_func=get_remote_address)
    writers = anyio.CapacityLimiter(WRITERS)
    ready: dict[str, asyncio.Event] = {}

    async def in_thread(transaction: Callable[..., R], *arguments: str) -> R:
        return await anyio.to_thread.run_sync(transaction, *arguments, limiter=writers)

    client.state.limiter = limiter
    client.add_exception_handler(RateLimitExceeded, too_many)
    for app in (client, worker):
        app.add_middleware(Measured)

    @client.post("/order/")
    @limiter.limit(PER_ADDRESS)  # pyright: ignore[reportUntypedFunctionDecorator, reportUnknownMemberType] - untyped
    async def order(request: Request) -> dict[str, str]:  # noqa: ARG001 - slowapi takes it
        order_id = uuid4().hex
        ready[order_id] = asyncio.Event()
        try:
            await in_thread(orders.place, order_id)
            await ready[order_id].wait()
        finally:
            del ready[order_id]
        return {"order_id": order_id, "status": "ready"}

    @worker.get("/start/", response_model=None)
    async def start() -> dict[str, str] | Response:
        order_id = await in_thread(orders.start)
        return Response(status_code=204) if order_id is None else {"order_id": order_id}

    @worker.post("/finish/")
    async def finish(done: Finish) -> dict[str, str]:
        if not await in_thread(orders.finish, done.order_id):
            raise HTTPException(404)
        if done.order_id in ready:
            ready[done.order_id].set()
        return {"order_id": done.order_id, "status": "ready"}

    @worker.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return client, worker


def log_config() -> Mapping[str, Any]:
    """Return uvicorn's own, with the access log on standard error, as the café's log."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    return config


async def serve(file: str) -> None:
    """Serve both applications, each on a port of its own."""
    raise_limit()
    servings: list[tuple[uvicorn.Server, socket.socket]] = []
    apps = make_apps(Orders(sessionmaker(open_database(file))))
    for name, app in zip(("client", "worker"), apps, strict=True):
        listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        print(f"{name} http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, http="httptools", log_config=dict(log_config()))
        servings.append((uvicorn.Server(config), listener))
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servings))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m bench.peers.usual FILE")
    uvloop.run(serve(sys.argv[1]))
