"""The layers of the two apps: which of them replies first."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message

from actors import Ref, open_system
from cafe.http.authentication import nobody
from cafe.http.outer_layer import RequestMetrics
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.menu.product import Board
from cafe.operations.operator_api import NotReady
from cafe.orders.department import orders_offer
from cafe.orders.messages import ListOrders
from cafe.server.request import BadRequest
from cafe.shop.apps import client_app, closed_app, worker_app
from cafe.shop.ports import Access
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.checked_desk import CheckedDesk
from tests.cafe.orders.counter import BOARD, open_ledger, start_counter
from tests.cafe.server.memory_door import open_memory_door, settle

UPLOADING = [(b"content-length", b"2"), (b"content-type", b"application/json")]


@dataclass(frozen=True)
class Apps:
    """Both apps, the desk behind them, and what they log."""

    client: ASGIApp
    worker: ASGIApp
    lines: list[Any]
    desk: CheckedDesk
    limiter: Ref[RateLimiter]


@asynccontextmanager
async def open_apps(
    limits: Limits | None = None,
    token: str | None = None,
    disk: Disk | None = None,
    hosts: frozenset[str] = frozenset(),
    board: Board = BOARD,
) -> AsyncGenerator[Apps]:
    async def why_not_ready() -> None:
        """Return None, which is that the shop is ready."""

    async def expose() -> bytes:
        return b""

    with structlog.testing.capture_logs() as lines:
        store = FaultyStore()
        async with (
            open_ledger(store, disk) as ledger,
            open_system() as system,
            trio.open_nursery() as nursery,
        ):
            desk, _ = await start_counter(system, nursery, ledger, store)
            limiter = await system.start(partial(RateLimiter, limits or Limits()))
            metrics = RequestMetrics(CollectorRegistry())
            offers = [orders_offer(desk, limiter, board, ledger)]
            yield Apps(
                client_app(
                    offers,
                    limiter,
                    trusted=(),
                    authenticate=nobody,
                    why_not_ready=why_not_ready,
                    metrics=metrics,
                ),
                worker_app(
                    offers,
                    limiter,
                    system.tree,
                    trusted=(),
                    authenticate=nobody,
                    access=Access("open" if token is None else "token", token),
                    hosts=hosts,
                    why_not_ready=why_not_ready,
                    expose=expose,
                    metrics=metrics,
                ),
                lines,
                desk,
                limiter,
            )
            nursery.cancel_scope.cancel()


async def upload(app: ASGIApp, path: str, method: str = "POST") -> tuple[int, dict[str, Any]]:
    """Send a body on which the connection times out; return the response's status and problem."""
    sent: list[Message] = []

    async def receive() -> Message:
        await trio.sleep(10)
        raise BadRequest(408, "The body took longer than 10 s.")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "query_string": b""}
    await app({**scope, "headers": UPLOADING, "client": ("192.0.2.1", 4711)}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def ask(app: ASGIApp, method: str, path: str) -> tuple[int, dict[str, Any]]:
    """Send a request without a body; return the response's status and problem."""
    coming: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not coming:
            await trio.sleep_forever()
        return coming.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": []}
    members = {"query_string": query.encode(), "client": ("192.0.2.1", 4711)}
    await app({**scope, **members}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.schedules(1)
async def test_a_guessed_id_is_refused_as_an_unknown_order_without_a_message_to_an_actor() -> None:
    async with open_apps() as apps:
        ids, dispatcher = apps.desk.ids, apps.desk.dispatcher
        for order_id, looks in ((ids.new(), 1), (ids.new()[:-1] + "+", 0), ("\u2615", 0)):
            for app, method, path in (
                (apps.client, "GET", f"/order/{order_id}"),
                (apps.client, "DELETE", f"/order/{order_id}"),
                (apps.worker, "POST", f"/finish/{order_id}/"),
                (apps.worker, "POST", f"/release/{order_id}"),
                (apps.worker, "POST", f"/release/?order_id={quote(order_id)}"),
            ):
                before = dispatcher.statistics().refused
                status, problem = await ask(app, method, path)
                assert (status, problem["detail"]) == (404, "There is no such order.")
                assert dispatcher.statistics().refused - before == looks, path
        counts = await apps.limiter.ask(CountLimits())
        assert counts.refused["unknown"] == 15


@pytest.mark.schedules(1)
async def test_a_body_that_times_out_is_a_problem_and_a_line_of_log() -> None:
    async with open_apps() as apps:
        for app, path in ((apps.client, "/order/"), (apps.worker, "/finish/")):
            began = trio.current_time()
            status, problem = await upload(app, path)
            assert (status, problem["detail"]) == (408, "The body took longer than 10 s.")
            assert trio.current_time() - began == 10
        assert [line["status"] for line in apps.lines] == [408, 408]


@pytest.mark.schedules(1)
async def test_the_body_of_a_client_over_its_limit_is_not_waited_for() -> None:
    async with open_apps(Limits(requests=1)) as apps:
        await upload(apps.client, "/order/")
        began = trio.current_time()
        status, problem = await upload(apps.client, "/api/v1/client/order/")
        assert (status, problem["limit"]) == (429, "requests")
        assert trio.current_time() == began
        assert [line["status"] for line in apps.lines] == [408, 429]


@pytest.mark.schedules(1)
async def test_the_body_of_a_request_without_a_token_is_not_waited_for() -> None:
    async with open_apps(token="open-sesame") as apps:
        began = trio.current_time()
        for path in ("/finish/", "/api/v1/worker/finish/", "/nothing"):
            assert (await upload(apps.worker, path))[0] == 401
        assert trio.current_time() == began
        assert [line["status"] for line in apps.lines] == [401, 401, 401]


@pytest.mark.schedules(1)
async def test_health_needs_no_token_and_has_no_limit_with_a_last_slash_too() -> None:
    async with open_apps(Limits(requests=1), token="open-sesame") as apps:
        for path in ("/livez", "/livez/", "/readyz/", "/api/v1/client/livez/"):
            assert (await upload(apps.client, path, "GET"))[0] == 200
            assert (await upload(apps.worker, path.replace("client", "worker"), "GET"))[0] == 200


async def no_house() -> NotReady:
    """Return that the shop is not ready."""
    return NotReady("house", "No house answers.")


@pytest.mark.parametrize(
    ("target", "status", "route"),
    [
        ("/livez", 200, None),
        ("/shops/north/livez/", 200, None),
        ("/readyz", 503, "/readyz"),
        ("/shops/north/order/", 503, "(none)"),
    ],
)
async def test_a_front_without_a_house_gives_a_request_one_id_and_one_line_at_most(
    target: str, status: int, route: str | None
) -> None:
    with structlog.testing.capture_logs() as lines:
        async with open_memory_door(closed_app("client", no_house, "/shops/north")) as door:
            visitor = door.visit()
            head = f"GET {target} HTTP/1.1\r\nHost: cafe\r\nConnection: close\r\n\r\n"
            await visitor.say(head.encode())
            heard = await visitor.hear_all()
    assert heard.startswith(b"HTTP/1.1 %d " % status)
    assert heard.lower().count(b"x-request-id:") == 1
    assert [line["route"] for line in lines] == ([] if route is None else [route])


LATER = b"POST /order/ HTTP/1.1\r\nHost: cafe\r\nPrefer: respond-async\r\n\r\n"
KEYED = LATER.replace(b"Prefer", b"Idempotency-Key: k\r\nPrefer")


@pytest.mark.schedules
async def test_an_order_is_kept_if_its_id_was_read_or_it_has_a_key() -> None:
    async with open_apps(disk=Disk(1)) as apps, open_memory_door(apps.client) as door:
        reads, keyed, gone = door.visit(), door.visit(), door.visit()
        for visitor, raw in ((reads, LATER), (keyed, KEYED), (gone, LATER)):
            await visitor.say(raw)
        await settle()  # all three orders are placed, and none is committed
        await reads.half_close()
        await keyed.leave()
        await gone.leave()
        heard = await reads.hear("POST")
        assert heard.status == 202
        await trio.sleep(10)
        orders = [standing.order for standing in (await apps.desk.list(ListOrders())).standings]
        assert sorted(order.key or "" for order in orders) == ["", "k"]
        assert json.loads(heard.body)["order_id"] in {order.order_id for order in orders}
        assert [line["status"] for line in apps.lines] == [202] * 3


@pytest.mark.schedules
async def test_a_client_that_half_closes_while_it_waits_has_disconnected() -> None:
    async with open_apps() as apps, open_memory_door(apps.client) as door:
        visitor = door.visit()
        await visitor.say(LATER.replace(b"respond-async", b"wait=60"))
        await trio.sleep(10)
        assert len((await apps.desk.list(ListOrders())).standings) == 1
        await visitor.half_close()
        assert await visitor.hear_all() == b""
        assert (await apps.desk.list(ListOrders())).standings == []
        assert [line["status"] for line in apps.lines] == [499]
