"""What managers do with a shop that runs: pause it, lift a ban, look at orders and at the day."""

from __future__ import annotations

import signal
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import trio

from cafe.http.authentication import Role
from tests.system.api import LATER, brew, order, problem
from tests.system.credentials import credentials
from tests.system.killing import db_check
from tests.system.paying import ADA, BASKET, MANAGER, open_paying_shop, open_providers, signed_in
from tests.system.shop import Line, Shop, open_shop
from tests.system.until import until_asked

KILLED = -signal.SIGKILL
TEXT = 'Back at a quarter past <img src=x onerror="alert(1)">.'
WITHIN = 20.0
"""Seconds after which an address whose ban was lifted has ordered."""
POLITE = 3.0
"""Seconds for an answer, and for the wait that it asks for."""


async def manager_of(shop: Shop) -> httpx.AsyncClient:
    return shop.baristas(headers=await credentials(shop, Role.MANAGER))


async def paused(manager: httpx.AsyncClient, **wanted: Any) -> Line:
    response = await manager.put("/admin/pause", json=wanted)
    assert response.status_code == 200, response.text
    shown: Line = response.json()["paused"]
    return shown


async def test_a_paused_shop_refuses_orders_on_every_way_until_it_is_resumed(
    shop: Shop, address: str
) -> None:
    account = await credentials(shop, Role.CUSTOMER)
    async with shop.customers(address) as customer, await manager_of(shop) as manager:
        keyed = LATER | {"Idempotency-Key": "before"}
        placed = (await customer.post("/order/", headers=keyed)).json()
        until = (await paused(manager, minutes=15, text=TEXT))["until"]
        asked = [
            await customer.post("/order/", headers=LATER),
            await customer.post("/api/v1/client/order/", headers=LATER),
            await customer.post("/orders", json=BASKET, headers=account),
        ]
        for response in asked:
            body = problem(response, 503)
            assert (body["reason"], body["until"], body["text"]) == ("paused", until, TEXT)
            assert 890 <= int(response.headers["retry-after"]) <= 901
        again = (await customer.post("/order/", headers=keyed)).json()
        assert again["order_id"] == placed["order_id"]
        queue = (await customer.get("/queue")).json()
        assert (queue["accepting"], queue["paused"]) == (False, {"until": until, "text": TEXT})
        assert (await brew(manager))["order_id"] == placed["order_id"]
        shown = (await manager.get("/admin/pause")).json()["paused"]
        assert (shown["until"], shown["by"]) == (until, "manager@example.com")
        assert datetime.fromisoformat(until).microsecond == 0
        assert (await manager.delete("/admin/pause")).status_code == 204
        assert (await manager.delete("/admin/pause")).status_code == 204
        assert (await manager.get("/admin/pause")).json() == {"paused": None}
        assert (await customer.get("/queue")).json()["accepting"] is True
        await order(customer)
        await brew(manager)


async def test_a_paused_shop_says_so_to_the_clients_of_other_systems() -> None:
    with open_shop(compat="functech,coffee-shop") as shop:
        account = await credentials(shop, Role.CUSTOMER)
        async with shop.customers(headers=account) as customer, await manager_of(shop) as manager:
            until = (await paused(manager, minutes=1))["until"]
            for path, wish in (
                ("/compat/functech/orders/create_new_order", {"items": {"latte": {"quantity": 1}}}),
                ("/compat/coffee-shop/api/v1/orders", BASKET),
            ):
                body = problem(await customer.post(path, json=wish), 503)
                assert (body["reason"], body["until"], body["text"]) == ("paused", until, "")


async def test_nothing_is_charged_while_a_shop_is_paused() -> None:
    with open_providers() as providers, open_paying_shop(providers) as shop:
        async with (
            shop.customers(headers=signed_in(ADA)) as customer,
            shop.baristas(headers=signed_in(MANAGER)) as manager,
        ):
            await paused(manager, minutes=1)
            assert problem(await customer.post("/orders", json=BASKET), 503)["reason"] == "paused"
            assert providers.done("charges") == []
            assert (await manager.delete("/admin/pause")).status_code == 204
            assert (await customer.post("/orders", json=BASKET)).status_code == 201
            assert len(providers.done("charges")) == 1
            await brew(manager)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"minutes": 0},
        {"minutes": 1441},
        {"minutes": 1.5},
        {"minutes": "15"},
        {"minutes": 15, "text": "x" * 201},
        {"minutes": 15, "text": "a\nb"},
        {"minutes": 15, "until": "tomorrow"},
    ],
    ids=str,
)
async def test_a_pause_has_bounds(shop: Shop, wanted: dict[str, Any]) -> None:
    async with await manager_of(shop) as manager:
        problem(await manager.put("/admin/pause", json=wanted), 422)
        assert (await manager.get("/admin/pause")).json() == {"paused": None}


async def test_a_pause_outlives_kills_of_the_shop_and_so_does_its_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cafe.db"
    with open_shop(database_url=url, exit_code=KILLED) as shop:
        async with shop.customers() as customer, await manager_of(shop) as manager:
            placed = await order(customer)
            until = (await paused(manager, minutes=1440, text=TEXT))["until"]
            shop.process.kill()
            await shop.ended()
    with open_shop(database_url=url, exit_code=KILLED) as shop:
        async with shop.customers() as customer, await manager_of(shop) as manager:
            assert problem(await customer.post("/order/"), 503)["until"] == until
            assert (await brew(manager))["order_id"] == placed["order_id"]
            assert (await manager.delete("/admin/pause")).status_code == 204
            shop.process.kill()
            await shop.ended()
    with open_shop(database_url=url) as shop:
        async with shop.customers() as customer, shop.baristas() as barista:
            await order(customer)
            await brew(barista)
    assert await db_check(url) == 0


async def test_an_address_whose_ban_is_lifted_orders_again(address: str) -> None:
    with open_shop(limit_requests=5, limit_window_seconds=1, ban_after=5, ban_seconds=600) as shop:

        async def is_banned() -> bool:
            with trio.move_on_after(0.5):
                try:
                    async with shop.customers(address) as customer:
                        await customer.get("/queue")
                except httpx.TransportError:
                    pass
            return shop.log.lines("banned", address=address) != []

        await until_asked(is_banned)
        async with await manager_of(shop) as manager:
            (ban,) = (await manager.get("/admin/bans")).json()["bans"]
            assert (ban["address"], ban["seconds"]) == (address, 600)
            assert (await manager.delete(f"/admin/bans/{address}")).status_code == 204
            with trio.fail_after(WITHIN):  # two seconds where the machine is not busy
                await until_asked(partial(orders, shop, address))
            assert (await manager.get("/admin/bans")).json() == {"bans": []}
            problem(await manager.delete(f"/admin/bans/{address}"), 404)
            await shop.log.line("lifted", address=address, by="manager@example.com")
            await brew(manager)


async def orders(shop: Shop, address: str) -> bool:
    """Return whether an order from this address is taken; if it came too soon, wait as told.

    Its requests from before the ban still count, and one that does not wait earns the next ban.
    """
    with trio.move_on_after(POLITE), suppress(httpx.TransportError):
        async with shop.customers(address) as customer:
            answer = await customer.post("/order/", headers=LATER)
            await trio.sleep(int(answer.headers.get("retry-after", "0")))
            return answer.status_code == 202
    return False


@pytest.mark.parametrize("named", ["2001:db8::7", "2001:db8::/64", quote("2001:db8::/64", safe="")])
async def test_a_ban_of_ipv6_is_named_by_an_address_or_its_network(shop: Shop, named: str) -> None:
    async with await manager_of(shop) as manager:
        body = problem(await manager.delete(f"/admin/bans/{named}"), 404)
        assert body["detail"] == "This address is not banned."


@pytest.mark.parametrize("wrong", ["cafe", "192.0.2.0/24", "2001:db8::/48", "1" * 65])
async def test_what_is_no_address_has_no_ban(shop: Shop, wrong: str) -> None:
    async with await manager_of(shop) as manager:
        problem(await manager.delete(f"/admin/bans/{wrong}"), 422)


async def test_staff_look_at_an_order_and_its_history_and_managers_at_the_day(shop: Shop) -> None:
    account = await credentials(shop, Role.CUSTOMER)
    staff = await credentials(shop, Role.BARISTA)
    async with shop.customers() as customer, await manager_of(shop) as manager:
        placed = (await customer.post("/orders", json=BASKET, headers=account)).json()
        await brew(manager)
        path = f"/orders/{placed['order_id']}"
        for port in (customer, manager):
            shown = await port.get(path, headers=staff)
            assert (shown.status_code, shown.json()["status"]) == (200, "ready")
            assert "payment" in shown.json()
            happened = (await port.get(f"{path}/events", headers=staff)).json()["events"]
            assert [one["action"] for one in happened] == ["place", "start", "finish"]
        plain = await order(customer)
        await brew(manager)
        assert (await manager.get(f"/orders/{plain['order_id']}")).json()["number"] > 0
        problem(await manager.get(path, headers=account), 403)
        problem(await manager.get("/orders/no-such-order"), 404)
        report = (await manager.get("/admin/report")).json()
        assert report["orders"] >= 2
        assert {"americano", "latte"} <= {one["name"] for one in report["products"]}
