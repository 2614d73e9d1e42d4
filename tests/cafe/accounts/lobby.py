"""Accounts for tests, with both apps in front of them: as the shop opens it, in virtual time.

Rule: passwords are hashed for real, with the least parameters there are, and without threads.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpx
import structlog
import trio
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from actors import Message, Ref, Restart, System, open_system
from cafe.accounts.accounts import Accounts
from cafe.accounts.department import ACCOUNTS, AccountsOffer, accounts_offer
from cafe.accounts.desk import Desk
from cafe.accounts.passwords import Passwords
from cafe.accounts.tokens import Tokens, tokens_of
from cafe.http.outer_layer import RequestMetrics
from cafe.ledger.ledger import Ledger, new_ledger, running
from cafe.ledger.store import Store
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.shop.apps import client_app, worker_app
from cafe.shop.ports import Access
from cafe.shop.process import start_clock
from tests.cafe.ledger.fakes import Disk, FaultyStore

T = TypeVar("T")
SECRET = b"a secret of the tests, and long enough"
PASSWORD = "correct horse"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
EMAIL = "ada@example.com"
FORM = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
RESTART = Restart(limit=1_000, within=1)


class CrashAccounts(Message["FragileAccounts", None]):
    """Crash."""


class FragileAccounts(Accounts):
    """Accounts that crash when they are told to."""

    @CrashAccounts.handler
    def crash(self, _message: CrashAccounts) -> None:
        raise RuntimeError("as a test wants it")


async def in_loop(call: Callable[[], T]) -> T:
    """Run a call at once."""
    return call()


@dataclass(frozen=True)
class Lobby:
    """What a test can reach."""

    desk: Desk
    ref: Ref[FragileAccounts]
    ledger: Ledger
    limiter: Ref[RateLimiter]
    tokens: Tokens
    client: ASGIApp
    worker: ASGIApp
    lines: list[Any]

    def visitor(
        self, address: str = "192.0.2.1", token: str | None = None, app: ASGIApp | None = None
    ) -> httpx.AsyncClient:
        """Return a client of the customers' app, or of `app`."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app or self.client, client=(address, 4711))
        url = "http://127.0.0.1:8080"
        return httpx.AsyncClient(transport=transport, base_url=url, headers=headers)

    def staff(self, token: str | None = None, address: str = "192.0.2.9") -> httpx.AsyncClient:
        """Return a client of the staff's app."""
        return self.visitor(address, token, self.worker)

    def manager(self) -> httpx.AsyncClient:
        """Return a client of the staff's app that is the command line's."""
        return self.staff(self.tokens.operator(self.ledger.now()))

    async def register(self, email: str = EMAIL, address: str = "192.0.2.1") -> str:
        """Register, and return the account's id."""
        async with self.visitor(address) as visitor:
            wish = {"email": email, "password": PASSWORD}
            response = await visitor.post("/auth/register", json=wish)
            assert response.status_code == 201, response.text
            return str(response.json()["user_id"])

    async def add(self, email: str, role: str) -> str:
        """Add an account with a role, and return its id."""
        async with self.manager() as manager:
            wish = {"email": email, "password": PASSWORD, "role": role}
            response = await manager.post("/admin/users", json=wish)
            assert response.status_code == 201, response.text
            return str(response.json()["user_id"])

    async def sign_in(self, email: str = EMAIL, address: str = "192.0.2.1") -> dict[str, Any]:
        """Sign in, and return the tokens."""
        async with self.visitor(address) as visitor:
            response = await visitor.post("/auth/token", data={**FORM, "username": email})
            assert response.status_code == 200, response.text
            tokens: dict[str, Any] = response.json()
            return tokens

    async def refresh(self, token: str) -> httpx.Response:
        """Present a refresh token."""
        async with self.visitor() as visitor:
            return await visitor.post("/auth/refresh", json={"refresh_token": token})

    async def me(self, token: str) -> httpx.Response:
        """Ask who has signed in."""
        async with self.visitor(token=token) as visitor:
            return await visitor.get("/auth/me")

    async def refused(self) -> int:
        """Return how often wrong credentials were counted."""
        return (await self.limiter.ask(CountLimits())).refused["credentials"]


@asynccontextmanager
async def open_lobby(
    store: Store | None = None,
    *,
    disk: Disk | None = None,
    limits: Limits | None = None,
    access: Access = Access("accounts"),  # noqa: B008 - a value
    most: int = 100,
    hasher: PasswordHasher = CHEAP,
) -> AsyncGenerator[Lobby]:
    """Open accounts on a ledger: in memory and without threads, unless `store` is another one."""
    store = store or FaultyStore()
    runner = (disk or Disk()) if isinstance(store, FaultyStore) else None
    ledger = new_ledger(store, start_clock(), runner, runner)
    with structlog.testing.capture_logs() as lines:
        async with running(ledger, 5.0), open_system() as system:
            passwords = Passwords(hasher, in_loop)
            yield await opened(system, ledger, limits or Limits(), access, most, passwords, lines)


async def opened(  # noqa: PLR0917 - independent parts
    system: System,
    ledger: Ledger,
    limits: Limits,
    access: Access,
    most: int,
    passwords: Passwords,
    lines: list[Any],
) -> Lobby:
    async def make() -> FragileAccounts:
        return FragileAccounts(ledger, await ledger.open(ACCOUNTS), most=most)

    limiter = await system.start(partial(RateLimiter, limits), name="RateLimiter")
    ref = await system.start(make, name="Accounts", mailbox=10_000, restart=RESTART)
    desk = Desk(ref, ledger, passwords, tokens_of(SECRET))
    offer = accounts_offer(desk, limiter)
    client, worker = apps_of(offer, limiter, system, access)
    return Lobby(desk, ref, ledger, limiter, desk.tokens, client, worker, lines)


def apps_of(
    offer: AccountsOffer, limiter: Ref[RateLimiter], system: System, access: Access
) -> tuple[ASGIApp, ASGIApp]:
    """Return both apps, with the routes of accounts only."""

    async def why_not_ready() -> None:
        """Return None, which is that the shop is ready."""

    async def expose() -> bytes:
        return b""

    authenticate = offer.authenticate
    assert authenticate is not None
    metrics = RequestMetrics(CollectorRegistry())
    return (
        client_app(
            [offer],
            limiter,
            trusted=(),
            authenticate=authenticate,
            why_not_ready=why_not_ready,
            metrics=metrics,
        ),
        worker_app(
            [offer],
            limiter,
            system.tree,
            trusted=(),
            authenticate=authenticate,
            access=access,
            hosts=frozenset(),
            why_not_ready=why_not_ready,
            expose=expose,
            metrics=metrics,
        ),
    )


async def all_of(*calls: Callable[[], Any]) -> list[Any]:
    """Return the results of calls that run at the same time, in their order."""
    results: list[Any] = [None] * len(calls)

    async def keep(number: int, call: Callable[[], Any]) -> None:
        results[number] = await call()

    async with trio.open_nursery() as nursery:
        for number, call in enumerate(calls):
            nursery.start_soon(keep, number, call)
    return results
