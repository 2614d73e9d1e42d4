"""What a provider answers is kept, and shown to no one: neither by a route nor in the log."""

from __future__ import annotations

import json
from functools import partial

import httpx
import pytest
import trio

from cafe.http.authentication import Role
from cafe.ledger.checking import open_reader
from cafe.payments.tables import payments
from tests.system.credentials import credentials
from tests.system.shop import Shop, open_shop
from tests.system.test_provider import asked, listening, said
from tests.system.until import until_asked

pytestmark = pytest.mark.once

MARK = "only-the-provider-says-so"
BODY = json.dumps({"id": MARK, "detail": MARK}).encode()
BASKET = {"items": [{"product_id": "latte", "quantity": 1}]}
REFUSED, BUSY, BROKEN = f"402 {MARK}", f"429 {MARK}", f"500 {MARK}"


class Visitors:
    """A customer and a manager who keep all that they are answered."""

    def __init__(self, customer: httpx.AsyncClient, manager: httpx.AsyncClient) -> None:
        self.customer, self.manager = customer, manager
        self.shown: list[httpx.Response] = []

    async def ask(
        self, client: httpx.AsyncClient, method: str, path: str, status: int = 200
    ) -> httpx.Response:
        """Ask for something, and check the status."""
        response = await client.request(method, path, json=BASKET if method == "POST" else None)
        assert response.status_code == status, response.text
        self.shown.append(response)
        return response

    async def order(self, status: int = 201) -> str:
        """Order a basket; return the order's id, if there is one."""
        response = await self.ask(self.customer, "POST", "/orders", status)
        return str(response.json().get("order_id"))

    async def is_refunded(self, order_id: str) -> bool:
        """Return whether an order is refunded."""
        look = await self.ask(self.customer, "GET", f"/orders/{order_id}")
        return bool(look.json()["payment"]["status"] == "refunded")

    async def look_around(self, order_ids: list[str]) -> None:
        """Ask for all that shows orders."""
        for order_id in order_ids:
            await self.ask(self.customer, "GET", f"/orders/{order_id}")
            await self.ask(self.customer, "GET", f"/orders/{order_id}/events")
        await self.ask(self.customer, "GET", "/orders")
        for query in ("", "?payment=placed", "?payment=refunded"):
            await self.ask(self.manager, "GET", f"/admin/orders{query}")
        for path in ("/orders", "/start/", "/metrics", "/readyz"):
            await self.ask(self.manager, "GET", path)


async def test_nothing_that_a_provider_answers_is_ever_shown() -> None:
    # The second order is refused, the third charged at the second try.
    charges = [f"200 {MARK}", REFUSED, BROKEN, "200 OK"]
    refunds = [BROKEN, BUSY, "200 OK"]

    async def serve(stream: trio.SocketStream) -> None:
        plan = refunds if b"charge_id" in await asked(stream) else charges
        fields = "Connection: close", "Retry-After: 0", f"X-Note: {MARK}"
        await stream.send_all(said(plan.pop(0), BODY, *fields))
        await stream.aclose()

    async with listening(serve) as url:
        with open_shop(payment_url=url, refund_url=url) as shop:
            await look_for_mark(shop)
    assert charges == refunds == []


async def look_for_mark(shop: Shop) -> None:
    """Order, cancel and look; the mark is in the ledger, and nowhere else."""
    async with (
        shop.customers(headers=await credentials(shop, Role.CUSTOMER)) as customer,
        shop.baristas(headers=await credentials(shop, Role.MANAGER)) as manager,
    ):
        visitors = Visitors(customer, manager)
        first = await visitors.order()
        await visitors.order(402)
        second = await visitors.order()
        await visitors.ask(customer, "DELETE", f"/orders/{first}")
        await until_asked(partial(visitors.is_refunded, first))
        await visitors.look_around([first, second])
    await shop.settle()
    assert [one.url for one in visitors.shown if is_marked(one)] == []
    assert MARK not in shop.log.text
    with open_reader(shop.database_url) as connection:
        rows = connection.execute(payments.select().order_by(payments.c.status)).all()
    kept = [(row.status, row.charge_ref, row.refund_ref) for row in rows]
    assert kept == [("placed", MARK, None), ("refunded", MARK, MARK), ("refused", MARK, None)]
    assert all(MARK in row.charge_answer for row in rows)


def is_marked(response: httpx.Response) -> bool:
    return MARK in response.text or MARK in str(response.headers.raw)
