"""Baskets at fronts: charged for by the house, once for a key, and shown with their payments."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import trio

from cafe.payments.department import PaymentsOffer
from cafe.payments.front import CashierAtFront
from tests.cafe.both_ends import needs_redis, open_both_ends
from tests.system.until import until_asked

pytestmark = needs_redis

BASKET = {"items": [{"product_id": "latte", "quantity": 2}]}
ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Provider:
    """Accepts all charges and refunds, and counts them."""

    def __init__(self) -> None:
        self.asked = 0
        self.was_asked = trio.Event()
        self.stalls = False

    async def answer(self, stream: trio.SocketStream) -> None:
        """Answer one request, the whole of which comes at once."""
        received = b""
        while not received.endswith(b"}"):
            received += await stream.receive_some()
        self.asked += 1
        self.was_asked.set()
        if self.stalls:
            await trio.sleep_forever()
        await stream.send_all(ACCEPTED)


@asynccontextmanager
async def open_provider() -> AsyncGenerator[tuple[Provider, str]]:
    """Open a provider; yield it with its URL."""
    provider = Provider()
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, provider.answer, [listener])
        yield provider, f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"
        nursery.cancel_scope.cancel()


async def test_a_basket_is_charged_for_once_at_whatever_front_its_key_comes_again(
    tmp_path: Path,
) -> None:
    async with (
        open_provider() as (provider, url),
        open_both_ends(tmp_path, payment_url=url, refund_url=url) as ends,
    ):
        here, there = ends.here, ends.there
        customer = await here.with_role("customer")
        headers = {**customer, "Idempotency-Key": "once"}
        ordered = await here.customer.post("/orders", json=BASKET, headers=headers)
        assert ordered.status_code == httpx.codes.CREATED, ordered.text
        again = await there.customer.post("/orders", json=BASKET, headers=headers)
        assert again.status_code == httpx.codes.OK, again.text
        order_id = ordered.json()["order_id"]
        assert (again.json()["order_id"], provider.asked) == (order_id, 1)
        manager = await there.with_role("manager")
        for path, who, client in (
            ("/orders", customer, there.customer),
            ("/admin/orders", manager, here.staff),
            ("/admin/orders?payment=placed", manager, there.staff),
        ):
            listed = (await client.get(path, headers=who)).json()["orders"]
            assert [one["payment"] for one in listed] == [{"status": "placed"}]
        cancelled = await there.customer.delete(f"/orders/{order_id}", headers=customer)
        assert cancelled.status_code == httpx.codes.OK, cancelled.text
        assert cancelled.json()["payment"]["status"] in {"refund_pending", "refunded"}
        events = await here.customer.get(f"/orders/{order_id}/events", headers=customer)
        assert [one["action"] for one in events.json()["events"]] == ["place", "cancel"]


async def test_without_a_provider_in_the_house_a_basket_is_paid_at_the_counter(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        customer = await ends.here.with_role("customer")
        ordered = await ends.there.customer.post("/orders", json=BASKET, headers=customer)
        assert ordered.json()["payment"] == {"status": "at_counter"}


async def test_one_who_waits_for_a_payment_is_answered_as_the_front_closes(tmp_path: Path) -> None:
    async with (
        open_provider() as (provider, url),
        open_both_ends(tmp_path, payment_url=url) as ends,
    ):
        provider.stalls = True
        here = ends.here
        payments = here.offer(PaymentsOffer)
        customer = await here.with_role("customer")
        reasons = list[str]()

        async def is_waiting() -> bool:
            cashier = payments.till.cashier
            return isinstance(cashier, CashierAtFront) and cashier.waiting == 1

        async def order() -> None:
            refused = await here.customer.post("/orders", json=BASKET, headers=customer)
            reasons.append(refused.json()["reason"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(order)
            await provider.was_asked.wait()
            await until_asked(is_waiting)
            here.front.closing.begin(retry_after=1.0)
            assert await payments.close() == {"payments_answered": 1}
        await order()
        assert reasons == ["closing", "closing"]
        assert provider.asked == 1
