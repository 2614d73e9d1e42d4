"""The Autopilot in place of functech's worker, seen through that system's calls."""

from __future__ import annotations

import pytest

from cafe.orders.autopilot import NAME as AUTOPILOT
from tests.system.compat.functech import as_listed, newcomer, our_status
from tests.system.shop import open_shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once


async def test_with_the_autopilot_orders_move_on_by_themselves() -> None:
    with open_shop(autopilot=0.4) as shop:
        async with newcomer(shop) as ada:
            order_id = await ada.create_order()
            seen: list[str] = []

            async def is_shipped() -> bool:
                seen.append((await ada.order(order_id))["status"])
                return seen[-1] == "SHIPPED"

            await until_asked(is_shipped)
            assert seen == sorted(seen, key=("PENDING", "PAID", "SHIPPED").index)

            async def is_delivered() -> bool:
                return await our_status(shop, ada, order_id) == "delivered"

            await until_asked(is_delivered)
            assert await as_listed(ada) == [(order_id, "SHIPPED")]
            moves = [one["action"] for one in shop.log.lines("order", barista=AUTOPILOT)]
            assert moves == ["start", "finish", "hand over"]
