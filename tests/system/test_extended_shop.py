"""The real shop with the departments of docs/extending.md in it, started as the page says."""

from __future__ import annotations

from tests.system.api import brew, order
from tests.system.shop import Shop, open_shop, until_asked
from tests.tips.killing import PROGRAM


async def test_a_song_that_a_customer_wishes_for_is_played_and_a_tip_is_paid() -> None:
    with open_shop(program=PROGRAM) as shop:
        await wish_and_play(shop)
        await give_and_look(shop)
        async with shop.baristas() as operator:
            actors = (await operator.get("/actors")).json()["actors"]
    counts = {one["name"]: (one["handled"], one["refused"], one["crashed"]) for one in actors}
    assert counts["Jukebox"] == (2, 1, 0)
    assert counts["Tips"][2] == 0


async def wish_and_play(shop: Shop) -> None:
    async with shop.customers() as customer, shop.baristas() as player:
        wish = {"order_id": (await order(customer))["order_id"], "song": "So What"}
        assert (await customer.post("/songs/", json=wish)).status_code == 200
        refused = await customer.post("/songs/", json=wish)
        assert (refused.status_code, refused.json()["song"]) == (409, "So What")
        played = await player.post("/songs/next/?wait=30")
        assert played.json() == {"song": "So What", "wishes": 1}
        await brew(player)


async def give_and_look(shop: Shop) -> None:
    async with shop.customers() as customer, shop.baristas() as barista:
        tip = {"order_id": (await order(customer))["order_id"], "cents": 50}
        pledged = await customer.put("/tips/t1", json=tip)
        assert (pledged.status_code, pledged.json()["status"]) == (200, "pledged")
        await brew(barista)

        async def is_paid() -> bool:
            totals: dict[str, int] = (await barista.get("/tips/")).json()["cents"]
            return totals == {"": 50}

        await until_asked(is_paid)
