"""A house and two fronts of it in this process, with a real Redis between them.

Rule: each has what it would have in a process of its own, and the apps of a front are those that it
serves. Only the ledger is in memory, and requests take no sockets. Time is real.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import time
from typing import Any, Final, TypeVar

import httpx
import pytest
import trio
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import Ref, open_system
from cafe.accounts.department import AccountsOffer
from cafe.bus.answering import Answering
from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.house_client import open_house_client
from cafe.bus.streams import Names, open_bus
from cafe.http.refusals import Closing
from cafe.ledger.tables import metadata
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Front, Offer
from cafe.settings import read_settings
from cafe.shop.departments import OURS
from cafe.shop.house import askable_in, front_gone
from cafe.shop.ports import Access
from cafe.shop.serving import Served
from cafe.shop.shop import RESTART, Shop, limits_of, open_house
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_ledger
from tests.machines.redis_server import running_redis, why_not

needs_redis: Final = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.once,
]
SECONDS: Final = 20.0
"""Within which everything has to happen."""
PASSWORD: Final = "correct horse"
OFFER = TypeVar("OFFER", bound=Offer)


@dataclass(frozen=True)
class FrontEnd:
    """One front, with a client of each of its apps."""

    front: Front
    offers: tuple[Offer, ...]
    customer: httpx.AsyncClient
    staff: httpx.AsyncClient
    limiter: Ref[RateLimiter]

    def offer(self, kind: type[OFFER]) -> OFFER:
        """Return what the department of this kind offers."""
        return next(one for one in self.offers if isinstance(one, kind))

    async def sign_in(self, email: str) -> dict[str, str]:
        """Return the header fields of an account that signs in here."""
        form = {"username": email, "password": PASSWORD}
        signed_in = await self.customer.post("/auth/token", data=form)
        assert signed_in.status_code == httpx.codes.OK, signed_in.text
        return bearer(signed_in.json()["access_token"])

    async def with_role(self, role: str) -> dict[str, str]:
        """Return the header fields of a new account with a role, which signs in here."""
        email = f"{role}@example.com"
        account = {"email": email, "password": PASSWORD, "role": role}
        operator = bearer(self.offer(AccountsOffer).desk.tokens.operator(self.front.ledger.now()))
        added = await self.staff.post("/admin/users", json=account, headers=operator)
        assert added.status_code == httpx.codes.CREATED, added.text
        return await self.sign_in(email)


@dataclass(frozen=True)
class BothEnds:
    """A house and two fronts."""

    house: Shop
    here: FrontEnd
    there: FrontEnd
    fail_over: Callable[[], None]
    """Has another house own the shop, with what the first one has committed."""


def bearer(token: str) -> dict[str, str]:
    """Return the header field of a token."""
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def open_both_ends(folder: Path, **options: str) -> AsyncGenerator[BothEnds]:
    """Open a house with these settings, and two fronts that do not know them."""
    with running_redis() as redis, trio.fail_after(SECONDS), one_error():
        async with (
            open_shop(redis.url, folder, options) as (house, fail_over),
            open_front(redis.url) as here,
            open_front(redis.url) as there,
        ):
            yield BothEnds(house, here, there, fail_over)


@contextmanager
def one_error() -> Generator[None]:
    """Raise the error of a test alone, and not in a group for each nursery around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise alone(group) from None


def alone(error: BaseException) -> BaseException:
    """Return the error in a group that has no other one; else the group."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return alone(inner[0]) if len(inner) == 1 else error


@asynccontextmanager
async def open_shop(
    url: str, folder: Path, options: dict[str, Any]
) -> AsyncGenerator[tuple[Shop, Callable[[], None]]]:
    """Open a house as `cafe house` does; yield it with what lets another one follow it."""
    settings = read_settings(
        {"database_url": "sqlite://", "mail_dir": str(folder / "mail"), **options}
    )
    async with (
        open_ledger(FaultyStore()) as ledger,
        open_system() as system,
        open_bus(url, Names()) as bus,
        trio.open_nursery() as nursery,
    ):
        shop = await open_house(
            settings, system, ledger, CollectorRegistry(), OURS, has_fronts=True
        )
        for task in (task for offer in shop.offers for task in offer.tasks):
            nursery.start_soon(task)
        houses = list[trio.CancelScope]()

        async def answer(term: int, scope: trio.CancelScope) -> None:
            gone = partial(front_gone, shop)
            with scope:
                await Answering(bus, lambda: term, askable_in(shop), ledger, gone).run()

        def begin() -> None:
            for former in houses:
                former.cancel()
            houses.append(trio.CancelScope())
            nursery.start_soon(answer, len(houses), houses[-1])

        begin()
        yield shop, begin
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_front(url: str) -> AsyncGenerator[FrontEnd]:
    """Open a front as `cafe front` does."""
    settings = read_settings({"worker_auth": "accounts"})
    async with (
        open_bus(url, Names()) as bus,
        open_house_client(bus) as house,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        ledger = FollowingLedger(house, time, metadata.tables.values())
        await ledger.begin()
        nursery.start_soon(ledger.run)
        limiter = await system.start(
            partial(RateLimiter, limits_of(settings)), name="RateLimiter", restart=RESTART
        )
        registry, closing = CollectorRegistry(), Closing()
        front = Front(settings, house, ledger, limiter, closing, registry)
        offers = await OURS.reach(front)
        for task in (task for offer in offers for task in offer.serving):
            nursery.start_soon(task)
        served = Served(settings, system, limiter, closing, offers)
        apps = served.apps(registry, {}, Access("accounts"), ledger, why_not_ready=nothing_amiss)
        async with visiting(apps[0]) as customer, visiting(apps[1]) as staff:
            yield FrontEnd(front, offers, customer, staff, limiter)
        nursery.cancel_scope.cancel()


async def nothing_amiss() -> None:
    """Return why a front is not ready: it is."""


def visiting(app: ASGIApp) -> httpx.AsyncClient:
    """Return a client of an app in this process."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=("127.0.0.1", 4242))
    return httpx.AsyncClient(transport=transport, base_url="http://cafe")
