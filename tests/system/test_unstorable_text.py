"""Text that no database can store is refused by the API, and never reaches the ledger."""

from __future__ import annotations

import pytest

from tests.system.shop import Shop

UNSTORABLE = ("%00", "a%00b", "%ff", "%ed%a0%80", "%0a")


@pytest.mark.parametrize("order_id", UNSTORABLE)
async def test_an_order_id_that_cannot_be_stored_is_unknown(
    shop: Shop, address: str, order_id: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for response in (
            await customer.get(f"/order/{order_id}"),
            await customer.delete(f"/order/{order_id}"),
            await barista.post(f"/finish/{order_id}/"),
            await barista.post("/release/", params={"order_id": "a\0b"}),
        ):
            assert response.status_code in {400, 404}, response.text


async def test_a_name_that_cannot_be_stored_is_a_422(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        response = await customer.post("/order/", json={"name": "A\0da"})
        assert response.status_code == 422
        response = await barista.get("/start/", params={"barista": "B\0"})
        assert response.status_code == 422
