"""`/readyz` is a 503 with a sentence while an actor does not reply, and never a 500.

`/livez` is a 200 all the while: the process runs, and a restart would not help.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
import structlog
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import Message, Ref, Restart, open_system
from actors.testing import settle
from cafe.http.refusals import Closing
from cafe.ledger.ledger import Ledger
from cafe.limits.admission import Admission
from cafe.limits.rate_limiter import Limits, RateLimiter
from cafe.orders.department import ORDERS, orders_offer
from cafe.orders.desk import Desk, load_ids_and_keys
from cafe.orders.dispatcher import Dispatcher, Rules
from cafe.orders.queries import Snapshot
from cafe.settings import read_settings
from cafe.shop.ports import Access
from cafe.shop.shop import READY_SECONDS, Shop
from tests.cafe.orders.counter import BOARD, open_ledger

pytestmark = pytest.mark.schedules(3)

SLOWLY = Restart(backoff=60, jitter=0)


@dataclass(frozen=True, slots=True)
class Crash(Message["Fragile", None]):
    """Crash; the restart comes a minute later."""


@dataclass(frozen=True, slots=True)
class Linger(Message["Fragile", None]):
    """Block the actor for as long as the test lasts."""


class Fragile:
    """What both actors handle here, besides their own messages."""

    @Crash.handler
    def crash(self, _message: Crash) -> None:
        raise ZeroDivisionError

    @Linger.handler
    async def linger(self, _message: Linger) -> None:
        await trio.sleep_forever()


class FragileDispatcher(Fragile, Dispatcher):
    """A Dispatcher that crashes or blocks on request."""


class FragileLimiter(Fragile, RateLimiter):
    """A RateLimiter that crashes or blocks on request."""


@dataclass(frozen=True, slots=True)
class RunningShop:
    """A shop's actors, and a client of each of its apps."""

    dispatcher: Ref[FragileDispatcher]
    limiter: Ref[FragileLimiter]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]

    async def get(self, path: str) -> list[tuple[int, Any]]:
        """Get a path of both apps."""
        answers = [await client.get(path) for client in self.clients]
        return [(answer.status_code, answer.json()) for answer in answers]


def make_dispatcher(ledger: Ledger, closing: Closing) -> Callable[[], Awaitable[FragileDispatcher]]:
    load = partial(ledger.open_until_given_up, ORDERS, Snapshot())

    async def make() -> FragileDispatcher:
        return FragileDispatcher(Rules(), ledger.now, load, await load(), closing)

    return make


@asynccontextmanager
async def open_shop() -> AsyncGenerator[RunningShop]:
    with structlog.testing.capture_logs():
        async with open_ledger() as ledger, open_system(grace=1) as system:
            closing = Closing()
            dispatcher = await system.start(
                make_dispatcher(ledger, closing), mailbox=1, restart=SLOWLY
            )
            limiter = await system.start(
                partial(FragileLimiter, Limits()), mailbox=1, restart=SLOWLY
            )
            settings = read_settings({"database_url": "sqlite://"})
            ids, keys = await load_ids_and_keys(ledger, 60.0)
            desk = Desk(dispatcher, ledger, ids, keys, ledger.now)
            offer = orders_offer(desk, limiter, BOARD, ledger)
            served = Shop(settings, system, limiter, closing, (offer,), ledger=ledger)
            doors = {"client": Admission(None, 9), "worker": Admission(None, 9)}
            apps = served.apps(
                CollectorRegistry(),
                doors,
                Access("open"),
                ledger,
                why_not_ready=served.why_not_ready,
            )
            yield RunningShop(dispatcher, limiter, (client_of(apps[0]), client_of(apps[1])))


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://cafe")


async def crash(actor: Ref[Any]) -> None:
    await actor.tell(Crash())
    await settle()
    assert actor.statistics().state == "restarting"


async def stop(actor: Ref[Any]) -> None:
    actor.stop()
    await actor.wait_stopped()


async def stop_while_it_is_busy(actor: Ref[Any]) -> None:
    await actor.tell(Linger())
    await settle()
    actor.stop()
    assert actor.statistics().state == "stopping"


async def fill(actor: Ref[Any]) -> None:
    await actor.tell(Linger())
    await settle()
    await actor.tell(Linger())
    seen = actor.statistics()
    assert seen.queued == seen.mailbox


async def crash_and_fill(actor: Ref[Any]) -> None:
    await crash(actor)
    await actor.tell(Linger())


@pytest.mark.parametrize(
    "disturb",
    [crash, stop, stop_while_it_is_busy, fill, crash_and_fill],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("which", ["dispatcher", "limiter"])
async def test_a_shop_with_an_actor_that_does_not_reply_is_live_and_not_ready(
    which: str, disturb: Callable[[Ref[Any]], Awaitable[None]]
) -> None:
    async with open_shop() as shop:
        assert await shop.get("/readyz") == [(200, {"status": "ok"})] * 2
        await disturb(getattr(shop, which))
        began = trio.current_time()
        for status, problem in await shop.get("/readyz"):
            assert (status, problem["detail"]) == (503, "The actors do not answer.")
            assert problem["reason"] == "actors"
        assert trio.current_time() - began <= 2 * READY_SECONDS
        assert await shop.get("/livez") == [(200, {"status": "ok"})] * 2


async def test_a_shop_is_ready_again_after_the_restart_of_its_actor() -> None:
    async with open_shop() as shop:
        await crash(shop.dispatcher)
        assert [status for status, _ in await shop.get("/readyz")] == [503, 503]
        await trio.sleep(60)
        assert [status for status, _ in await shop.get("/readyz")] == [200, 200]
