"""A fake shop that implements the HTTP contract in memory, for players under virtual time.

Rule: it follows the contract and records the requests; its failures are set by attributes.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx
import trio


@dataclass(slots=True)
class FakeOrder:
    order_id: str
    number: int
    name: str | None
    ready: trio.Event = field(default_factory=trio.Event)
    barista: str | None = None


class FakeShop(httpx.AsyncBaseTransport):
    """One transport for every player; `transport` returns it.

    It takes the clock of the test, because pytest-trio sets a clock only if the test has one.
    """

    def __init__(self, clock: trio.abc.Clock) -> None:
        self._clock = clock
        self.refuses_connections = 0
        """How many of the next requests cannot connect."""
        self.closing = 0
        """How many of the next requests get a 503 with Retry-After: 3."""
        self.limited = 0
        """How many of the next requests get a 429 with Retry-After: 7."""
        self.accepts_host = True
        """Otherwise every request gets a 403."""
        self.limit = 10_000
        """Orders beyond this number get a 429."""
        self.loses_answers = 0
        """How many of the next requests are handled, but disconnected before the response."""
        self.collected = True
        self.cancelled: set[str] = set()
        """Orders that cannot be finished, by id."""
        self.token: str | None = None
        self.waiting: deque[FakeOrder] = deque()
        self.orders: dict[str, FakeOrder] = {}
        self.finished: list[str] = []
        self.released: list[str] = []
        self.sources: list[str | None] = []
        self.requests: list[tuple[float, str]] = []
        self.keys: list[str | None] = []
        """The Idempotency-Key of each `/start/`."""
        self._claims: dict[str | None, FakeOrder] = {}
        self._numbers = itertools.count(1)
        self._arrival = trio.Event()

    def transport(self, source: str | None) -> httpx.AsyncBaseTransport:
        self.sources.append(source)
        return self

    def order(self, name: str | None = None) -> FakeOrder:
        """Put an order into the queue, as another customer would."""
        number = next(self._numbers)
        order = FakeOrder(f"order-{number}", number, name)
        self.orders[order.order_id] = order
        self.waiting.append(order)
        self._arrival.set()
        self._arrival = trio.Event()
        return order

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((self._clock.current_time(), request.url.path))
        await trio.lowlevel.checkpoint()
        if failure := self._failure(request):
            return failure
        response = await self._answer(request)
        if self.loses_answers:
            self.loses_answers -= 1
            raise httpx.ReadError("", request=request)
        return response

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        body: dict[str, Any] = json.loads(await request.aread() or b"{}")
        match request.url.path:
            case "/order/":
                return await self._order(body)
            case "/start/":
                key = request.headers.get("Idempotency-Key")
                self.keys.append(key)
                return await self._start(request.url.params, key)
            case "/finish/":
                return self._finish(body["order_id"])
            case "/release/":
                return self._release(body["order_id"])
            case path:
                return httpx.Response(200 if path == "/livez" else 404)

    def _failure(self, request: httpx.Request) -> httpx.Response | None:
        if self.refuses_connections:
            self.refuses_connections -= 1
            raise httpx.ConnectError("All connection attempts failed", request=request)
        if self.closing:
            self.closing -= 1
            return httpx.Response(503, headers={"Retry-After": "3"}, json={"reason": "closing"})
        if self.limited:
            self.limited -= 1
            return httpx.Response(429, headers={"Retry-After": "7"}, json={"limit": "requests"})
        if not self.accepts_host:
            return httpx.Response(403)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401)
        return None

    async def _order(self, body: dict[str, Any]) -> httpx.Response:
        if len(self.orders) >= self.limit:
            return httpx.Response(429, json={"limit": "waiting"})
        order = self.order(body.get("name"))
        await order.ready.wait()
        return httpx.Response(200, json={"order_id": order.order_id, "number": order.number})

    async def _start(self, params: httpx.QueryParams, key: str | None) -> httpx.Response:
        if key in self._claims:
            return _claim(self._claims[key])
        with trio.move_on_after(int(params.get("wait", "0"))):
            while not self.waiting:
                await self._arrival.wait()
        if not self.waiting:
            return httpx.Response(204)
        order = self.waiting.popleft()
        order.barista = params["barista"]
        if key is not None:
            self._claims[key] = order
        return _claim(order)

    def _finish(self, order_id: str) -> httpx.Response:
        self._end_claim(order_id)
        if order_id in self.cancelled:
            return httpx.Response(409, json={"order_status": "cancelled"})
        self.orders[order_id].ready.set()
        self.finished.append(order_id)
        return httpx.Response(200, json={"order_id": order_id, "collected": self.collected})

    def _release(self, order_id: str) -> httpx.Response:
        self._end_claim(order_id)
        self.released.append(order_id)
        self.waiting.appendleft(self.orders[order_id])
        return httpx.Response(200)

    def _end_claim(self, order_id: str) -> None:
        self._claims = {k: one for k, one in self._claims.items() if one.order_id != order_id}


def _claim(order: FakeOrder) -> httpx.Response:
    answer = {"order_id": order.order_id, "number": order.number, "name": order.name}
    # Not encoded by httpx, which fails for a lone surrogate; JSON can escape it.
    return httpx.Response(200, content=json.dumps(answer))
