"""The shop without ports, for commands that manage a shop that does not run.

Rule: a command is a manager's request, with the same routes and actors, so there is one way to
change anything. The departments' background tasks do not run: none calls a provider or plays staff.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import trio
from prometheus_client import CollectorRegistry
from starlette.types import Scope

from actors import open_system
from cafe.http.authentication import Caller, Role
from cafe.http.outer_layer import RequestMetrics
from cafe.ledger.ledger import new_ledger, running
from cafe.ledger.store import Store, open_store
from cafe.settings import Settings
from cafe.shop.apps import worker_app
from cafe.shop.departments import OURS, Departments
from cafe.shop.ports import Access
from cafe.shop.process import start_clock
from cafe.shop.shop import open_house

OPERATOR: Final = Caller(Role.MANAGER, name="operator")
ADDRESS: Final = ("127.0.0.1", 0)
GRACE_SECONDS: Final = 5.0
URL: Final = "http://localhost"


@asynccontextmanager
async def open_offline(
    settings: Settings, departments: Departments = OURS
) -> AsyncGenerator[httpx.AsyncClient]:
    """Open the shop in this process, and yield a client of the staff's app, as a manager.

    Raises LedgerError: DatabaseInUse if a shop runs.
    """
    url = settings.ledger_url
    store = await trio.to_thread.run_sync(open_store, url)
    try:
        async with opened_house(settings, store, departments) as client:
            yield client
    finally:
        await trio.to_thread.run_sync(store.close)


@asynccontextmanager
async def opened_house(
    settings: Settings, store: Store, departments: Departments
) -> AsyncGenerator[httpx.AsyncClient]:
    """Open the shop on an open database, and yield a client of the staff's app, as a manager."""
    registry = CollectorRegistry()
    ledger = new_ledger(store, start_clock())
    async with running(ledger, GRACE_SECONDS), open_system(grace=GRACE_SECONDS) as system:
        shop = await open_house(settings, system, ledger, registry, departments)
        app = worker_app(
            shop.offers,
            shop.limiter,
            system.tree,
            trusted=(),
            authenticate=_operator,
            access=Access("accounts"),
            hosts=frozenset(),
            why_not_ready=shop.why_not_ready,
            expose=_expose_nothing,
            metrics=RequestMetrics(registry),
        )
        transport = httpx.ASGITransport(app, client=ADDRESS)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            yield client


async def _operator(_scope: Scope) -> Caller:
    return OPERATOR


async def _expose_nothing() -> bytes:
    return b""
