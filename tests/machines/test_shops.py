"""Two shops in one database and on one bus: a house for each, and a front that serves both."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from cafe.ledger.database import upgrade
from tests.cafe.ledger.postgres import PostgresServer
from tests.machines.processes import Front, House
from tests.machines.redis_server import RedisServer
from tests.machines.site import together
from tests.system.api import LATER, brew, look, order
from tests.system.killing import db_check

pytestmark = [pytest.mark.once, pytest.mark.slow]

NORTH, SOUTH = "north", "south"
HOST = "south.cafe.example"


@asynccontextmanager
async def running(*machines: House | Front) -> AsyncGenerator[None]:
    """Run machines during the block; at its end each must stop on SIGTERM with exit code 0."""
    try:
        for machine in machines:
            machine.start()
        await together(machine.until_ready for machine in machines)
        yield
        for machine in machines:
            machine.ask_to_stop()
        assert [await machine.ended() for machine in machines] == [0] * len(machines)
        assert [line for machine in machines for line in machine.signs_of_a_bug()] == []
    finally:
        for machine in machines:
            if machine.is_running:
                machine.kill()


async def test_two_shops_behind_one_front_do_not_mix_and_one_survives_the_other_s_failure(
    postgres: PostgresServer, redis: RedisServer, tmp_path: Path
) -> None:
    url = postgres.url(postgres.new_database())
    for name in (NORTH, SOUTH):
        upgrade(f"{url}&shop={name}")
    north, south = (House(tmp_path, name, url, redis.url, shop=name) for name in (NORTH, SOUTH))
    front = Front(tmp_path, "front", redis.url, shops=f"{NORTH},{SOUTH}={HOST}")
    async with (
        running(north, south, front),
        front.shop_named(NORTH).customers() as in_north,
        front.shop_named(SOUTH).customers() as in_south,
        front.shop.customers(headers={"Host": HOST}) as by_host,
        front.shop.customers() as in_none,
        front.shop_named(NORTH).baristas() as northern,
        front.shop_named(SOUTH).baristas() as southern,
    ):
        # One key in two shops is two orders, and each shop counts for itself.
        first = await order_with_key(in_north)
        second, third = await order_with_key(in_south), await order(by_host)
        assert [one["number"] for one in (first, second, third)] == [1, 1, 2]
        assert (await look(in_south, third["order_id"]))["number"] == 2
        assert (await in_north.get(f"/order/{third['order_id']}")).status_code == 404
        assert (await in_none.post("/order/", headers=LATER)).status_code == 404

        # A shop without its house does not answer, and the other shop is not affected.
        north.kill()
        async with front.shop_named(NORTH).customers() as waiting, trio.open_nursery() as nursery:
            answers: list[httpx.Response] = []

            async def order_in_north() -> None:
                answers.append(await waiting.post("/order/", headers=LATER))

            nursery.start_soon(order_in_north)
            assert [(await brew(southern))["number"] for _ in range(2)] == [1, 2]
            assert (await look(by_host, third["order_id"]))["status"] == "ready"
            assert not (await southern.get("/orders")).json()["orders"]
            await front.until_not_ready("house")
            assert (await in_south.get("/readyz")).status_code == 200
            assert (await in_north.get("/readyz")).status_code == 503
            north.start()
        await front.until_ready()
        assert answers[0].status_code in {202, 503}
        assert (await brew(northern))["order_id"] == first["order_id"]
        assert (await order_with_key(in_north))["order_id"] == first["order_id"]
    for name in (NORTH, SOUTH):
        assert await db_check(f"{url}&shop={name}") == 0


async def order_with_key(customer: httpx.AsyncClient) -> dict[str, object]:
    """Place an order under one key, or find the one that has it; return it."""
    headers = {**LATER, "Idempotency-Key": "the-one"}
    response = await customer.post("/order/", headers=headers)
    assert response.status_code in {200, 202}, response.text
    placed: dict[str, object] = response.json()
    return placed
