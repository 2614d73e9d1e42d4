"""A client that has moved from courier-service: its calls, a token, and a district of its own.

Rule: the client has what an operator would give it: a program's token of a barista.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from cafe.http.authentication import Role
from tests.system.compat.answers import Json, ok
from tests.system.credentials import Fields, bearer, credentials
from tests.system.shop import Shop

PREFIX: Final = "/compat/courier-service"


@dataclass(frozen=True, slots=True)
class Town:
    """A client of courier-service, our own manager beside it, and a district of the test."""

    client: httpx.AsyncClient
    manager: httpx.AsyncClient
    district: str
    district_sid: str

    async def courier(self, name: str = "Ada") -> str:
        """Add a courier of the district; return the sid."""
        wish = {"name": name, "districts": [self.district]}
        return str(ok(await self.client.post("/courier", json=wish))["sid"])

    async def publish(self, name: str = "Box") -> Json:
        """Publish an order in the district."""
        wish = {"name": name, "district": self.district}
        published: Json = ok(await self.client.post("/order", json=wish))
        return published

    async def publish_queued(self) -> str:
        """Publish by our own API an order that waits for a courier; return its id."""
        wish = {"name": "Box", "district": self.district, "queue": True}
        response = await self.manager.post("/deliveries", json=wish)
        assert response.status_code == 202, response.text
        return str(response.json()["order_id"])


def moved_client(shop: Shop, port: str, fields: Fields) -> httpx.AsyncClient:
    """Return a client whose base URL is the prefix on one of the ports."""
    client = (shop.customers if port == "client" else shop.baristas)(headers=fields)
    client.base_url = client.base_url.join(PREFIX)
    return client


@asynccontextmanager
async def open_town(shop: Shop, port: str = "client") -> AsyncGenerator[Town]:
    """Grant the client a token, and have it open a district that no other test has."""
    mark = secrets.token_hex(4)
    async with shop.baristas(headers=await credentials(shop, Role.MANAGER)) as manager:
        wish = {"name": f"couriers-{mark}", "role": "barista"}
        granted = await manager.post("/admin/tokens", json=wish)
        assert granted.status_code == 201, granted.text
        async with moved_client(shop, port, bearer(granted.json()["token"])) as client:
            wish = {"name": f"North {mark}"}
            district = ok(await client.post("/courier/create_district", json=wish))
            yield Town(client, manager, wish["name"], district["sid"])
