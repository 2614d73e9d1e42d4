"""The Autopilot in the real process: a shop that serves itself."""

from __future__ import annotations

import pytest

from cafe.orders.autopilot import NAME
from tests.system.shop import open_shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once


async def test_a_shop_with_an_autopilot_serves_its_customers_by_itself() -> None:
    with open_shop(autopilot=0.3) as shop:
        async with shop.customers() as customer, shop.baristas() as worker:
            waited = await customer.post("/order/")
            assert waited.status_code == 200
            assert waited.json()["status"] == "ready"
            placed = await customer.post("/order/", headers={"Prefer": "respond-async"})
            where = placed.headers["location"]

            async def is_delivered() -> bool:
                return bool((await customer.get(where)).json()["status"] == "delivered")

            await until_asked(is_delivered)
            names = [one["name"] for one in (await worker.get("/actors")).json()["actors"]]
            assert names.count("Autopilot") == 1
        assert shop.log.lines("order", action="start", barista=NAME)


async def test_a_shop_without_the_setting_has_no_autopilot() -> None:
    with open_shop() as shop:
        async with shop.baristas() as worker:
            names = [one["name"] for one in (await worker.get("/actors")).json()["actors"]]
        assert "Autopilot" not in names
