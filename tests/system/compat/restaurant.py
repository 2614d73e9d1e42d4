"""Clients of restaurant-booking: a manager, customers and a guest, and what they ask.

Rule: each visit has an address of its own, for the tests of one database share a shop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx

from cafe.http.authentication import Role
from tests.system.api import problem
from tests.system.compat.answers import Json, ok, pages
from tests.system.credentials import PASSWORD, Fields, bearer, credentials
from tests.system.shop import Shop
from tests.system.test_bookings import at

PREFIX: Final = "/compat/restaurant-booking"
ADMIN, CUSTOMER = f"{PREFIX}/api/admin", f"{PREFIX}/api/customer"
TOKEN: Final = f"{PREFIX}/api/token/"
UNKNOWN: Final = 999_999
_hosts = count(1)
_signed_in: dict[tuple[str, str], Fields] = {}


@dataclass(frozen=True)
class Visit:
    """A manager, two customers and a guest without an account, all at an address of their own."""

    shop: Shop
    manager: httpx.AsyncClient
    ada: httpx.AsyncClient
    bo: httpx.AsyncClient
    guest: httpx.AsyncClient

    async def add(self, **members: Any) -> int:
        """Add a table; return its id."""
        added = await self.manager.post(f"{ADMIN}/add_table/", json=members)
        assert added.status_code == 201, added.text
        return int(added.json()["data"]["id"])

    async def update(self, table: int, **members: Any) -> httpx.Response:
        """Change a table."""
        return await self.manager.patch(f"{ADMIN}/update_table/", json={"id": table, **members})

    async def booked(self, customer: httpx.AsyncClient, table: int, hours: float = 5) -> str:
        """Book a table for two hours; return the booking's id."""
        return str(ok(await book(customer, table, times(hours)))["id"])

    async def decide(self, what: str, booking_id: str) -> httpx.Response:
        """Accept or cancel a booking, as a manager."""
        path = f"{ADMIN}/{what}_booking/"
        return await self.manager.post(path, params={"id": booking_id})

    async def active(self, *tables: int) -> list[Json]:
        """Return the active bookings of some tables, from all pages."""
        found = await pages(self.manager, f"{ADMIN}/view_active_bookings/?limit=3")
        return [one for one in found if one["table"] in tables]


@asynccontextmanager
async def visiting(shop: Shop) -> AsyncGenerator[Visit]:
    """Open clients that connect from an address of their own."""
    address = f"127.0.21.{next(_hosts)}"
    fields = [
        await credentials(shop, Role.MANAGER),
        await account(shop, "Ada", "ada"),
        await account(shop, "www.Bo.example", "bo"),
        {},
    ]
    async with AsyncExitStack() as clients:
        opened = [
            await clients.enter_async_context(shop.customers(address, headers=one))
            for one in fields
        ]
        yield Visit(shop, *opened)


async def account(shop: Shop, name: str, email: str) -> Fields:
    """Return the header fields of a customer who signs in once in each shop."""
    if (shop.client, name) not in _signed_in:
        who = {"username": name, "email": f"{email}@example.org", "password": PASSWORD}
        async with shop.customers("127.0.20.1") as caller:
            assert (await caller.post("/auth/register", json=who)).status_code == 201
            tokens = ok(await sign_in(caller, who["email"]))
        _signed_in[shop.client, name] = bearer(tokens["access"])
    return _signed_in[shop.client, name]


async def sign_in(caller: httpx.AsyncClient, username: str, **members: Any) -> httpx.Response:
    """Sign in as that system does."""
    who = {"username": username, "password": PASSWORD, **members}
    return await caller.post(TOKEN, json=who)


async def book(
    customer: httpx.AsyncClient, table: int, query: Json | None = None
) -> httpx.Response:
    """Request a table, as a query says or says not."""
    params = {"id": table, **(query or {})}
    return await customer.post(f"{CUSTOMER}/book_table/", params=params)


def times(hours: float, length: float = 2) -> Json:
    """Return the query of a period that begins in so many hours."""
    return {"from": at(hours), "to": at(hours + length)}


def places(response: httpx.Response) -> list[list[Any]]:
    """Return the places of what is wrong with a request."""
    return [one["loc"] for one in problem(response, 422)["errors"]]
