"""Baristas who vanish with an order in hand, in a shop whose leases are short."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.system.api import brew, finish, look, order, park, start
from tests.system.shop import Shop, open_shop

SOON = 0.5
"""Seconds of a lease: longer than a barista here takes, if he brews at all."""


@pytest.fixture(scope="module")
def hasty() -> Generator[Shop]:
    """Give a shop with short leases."""
    with open_shop(lease_seconds=SOON) as shop:
        yield shop


async def test_an_order_whose_barista_vanished_goes_back_to_its_old_place(
    hasty: Shop, address: str
) -> None:
    async with hasty.customers(address) as customer, hasty.baristas() as barista:
        placed = [(await order(customer))["order_id"] for _ in range(3)]
        claim = await start(barista)
        assert claim["order_id"] == placed[0]
        await hasty.log.line("order", action="expire", number=claim["number"])
        assert (await look(customer, placed[0]))["position"] == 1
        assert [(await brew(barista))["order_id"] for _ in placed] == placed


async def test_a_waiting_barista_gets_what_another_one_has_lost(hasty: Shop, address: str) -> None:
    async with hasty.customers(address) as customer, hasty.baristas() as barista:
        placed = await order(customer)
        await start(barista)
        again = await start(barista, wait=20)
        assert again["order_id"] == placed["order_id"]
        await finish(barista, placed["order_id"])


async def test_a_finish_after_the_lease_still_counts(hasty: Shop, address: str) -> None:
    async with hasty.baristas() as barista, await park(hasty, address):
        claim = await start(barista, wait=20)
        await hasty.log.line("order", action="expire", number=claim["number"])
        finished = await finish(barista, claim["order_id"])
        assert (finished["status"], finished["collected"]) == ("ready", True)
        assert (await barista.get("/start/")).status_code == 204
        await hasty.log.line("order", action="hand over", number=claim["number"])
        await hasty.log.line("request", status=200, route="/order", address=address)


async def test_a_late_finish_counts_also_while_another_barista_brews(
    hasty: Shop, address: str
) -> None:
    async with hasty.customers(address) as customer, hasty.baristas() as barista:
        placed = await order(customer)
        await start(barista)
        await start(barista, wait=20)
        first, second = [await finish(barista, placed["order_id"]) for _ in "ab"]
        assert first == second
        assert (await barista.get("/start/")).status_code == 204
    await hasty.settle()
    actions = [one["action"] for one in hasty.log.lines("order", number=placed["number"])]
    assert actions == ["place", "start", "expire", "start", "finish"]


async def test_what_is_finished_in_time_does_not_come_back(hasty: Shop, address: str) -> None:
    async with hasty.customers(address) as customer, hasty.baristas() as barista:
        await order(customer)
        await brew(barista)
        assert (await barista.get("/start/", params={"wait": 2 * SOON})).status_code == 204


async def test_a_vanished_barista_and_a_customer_who_hung_up_leave_nothing_behind(
    hasty: Shop, address: str
) -> None:
    async with hasty.baristas() as barista:
        async with await park(hasty, address):
            claim = await start(barista, wait=20)
        cancelled = {"status": "cancelled", "number": claim["number"]}
        await hasty.log.line("order", action="abandon", **cancelled)
        assert (await barista.get("/start/")).status_code == 204
    await hasty.settle()
    actions = [one["action"] for one in hasty.log.lines("order", number=claim["number"])]
    assert actions == ["place", "start", "abandon", "expire", "abandon"]
