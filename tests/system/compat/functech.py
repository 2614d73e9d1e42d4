"""A client of functech that has changed its base URL, with the requests that it is used to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx

from cafe.http.authentication import Role
from tests.system.compat.answers import ok, pages
from tests.system.credentials import PASSWORD, bearer, credentials
from tests.system.shop import Shop

BASE: Final = "/compat/functech"
DONE: Final = "Successful"
AMERICANO: Final[dict[str, Any]] = {"Americano": {"quantity": 1, "variation": None}}
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Someone:
    """A caller of one role, or of none."""

    client: httpx.AsyncClient
    user_id: str = ""
    email: str = ""

    async def create_order(self, items: Any = None, **members: Any) -> str:
        """Order something, an americano if nothing is said; return the order's id."""
        wish = {"items": AMERICANO if items is None else items, **members}
        response = await self.client.post("/orders/create_new_order", json=wish)
        assert response.status_code == 201, response.text
        body = response.json()
        order_id: str = body.pop("order_id")
        assert body == {"status_code": 201, "transaction": DONE}
        assert response.headers["location"] == f"{BASE}/orders/{order_id}"
        return order_id

    async def order(self, order_id: str) -> dict[str, Any]:
        """Return an order as it is shown."""
        shown: dict[str, Any] = ok(await self.client.get(f"/orders/{order_id}"))
        return shown

    async def listed(self, whose: str = "orders") -> list[dict[str, Any]]:
        """Return the orders of a user, all pages."""
        return await pages(self.client, f"/orders/user/{whose}")

    async def update(self, order_id: str, new_status: str) -> httpx.Response:
        """Ask to move an order."""
        wish = {"order_id": order_id, "new_status": new_status}
        return await self.client.patch("/orders/update", json=wish)

    async def move(self, order_id: str, *statuses: str) -> None:
        """Move an order through these."""
        for new_status in statuses:
            moved = ok(await self.update(order_id, new_status))
            assert moved == {"status_code": 200, "transaction": DONE}


def fresh() -> tuple[str, str]:
    """Return an e-mail address and a client's address that no other test has."""
    number = next(_numbers)
    return f"f{number}@example.com", f"127.9.{number // 200}.{number % 200 + 1}"


@asynccontextmanager
async def opened(
    shop: Shop, address: str, headers: Mapping[str, str]
) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a client of the moved system."""
    async with shop.customers(address, headers=headers) as client:
        client.base_url = f"{shop.client}{BASE}"
        yield client


@asynccontextmanager
async def newcomer(shop: Shop) -> AsyncGenerator[Someone]:
    """Yield a customer with an account of their own, who has signed in."""
    email, address = fresh()
    async with opened(shop, address, {}) as client:
        wish = {"username": "Ada", "email": email, "password": PASSWORD}
        created = await client.post("/auth/create_user", json=wish)
        assert created.status_code == 201, created.text
        form = {"username": email, "password": PASSWORD}
        signed_in = ok(await client.post("/auth/token", data=form))
        client.headers.update(bearer(signed_in["access_token"]))
        yield Someone(client, created.json()["user_id"], email)


@asynccontextmanager
async def someone(shop: Shop, role: Role | None) -> AsyncGenerator[Someone]:
    """Yield a caller of this role; None: without credentials."""
    async with opened(shop, fresh()[1], await credentials(shop, role)) as client:
        yield Someone(client, email="" if role is None else f"{role}@example.com")


async def our_status(shop: Shop, caller: Someone, order_id: str) -> str:
    """Return the status of an order as our own API shows it."""
    headers = {"Authorization": caller.client.headers["Authorization"]}
    async with shop.customers(headers=headers) as client:
        status: str = (await client.get(f"/orders/{order_id}")).json()["status"]
        return status


async def as_listed(caller: Someone, whose: str = "orders") -> list[tuple[str, str]]:
    """Return the ids and statuses of listed orders."""
    return [(one["order_id"], one["status"]) for one in await caller.listed(whose)]


async def order_and_move(customer: Someone, staff: Someone) -> None:
    """Order, and have it moved on."""
    await staff.move(await customer.create_order(), "PAID", "SHIPPED")
