"""The real shop with the department of docs/extending.md in it, started as the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.extending import move_in
from tests.system.play import LATER
from tests.system.shop import open_shop


async def test_a_song_that_a_customer_wishes_for_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_in(tmp_path)
    monkeypatch.chdir(tmp_path)  # `python -m cafe` takes the one that it finds here
    with open_shop() as shop:
        async with shop.customers() as customer, shop.baristas() as player:
            order_id = (await customer.post("/order/", headers=LATER)).json()["order_id"]
            wish = {"order_id": order_id, "song": "So What"}
            assert (await customer.post("/songs/", json=wish)).status_code == 200
            refused = await customer.post("/songs/", json=wish)
            assert (refused.status_code, refused.json()["song"]) == (409, "So What")
            played = await player.post("/songs/next/?wait=30")
            assert played.json() == {"song": "So What", "wishes": 1}
            actors = (await player.get("/actors")).json()["actors"]
    assert [(one["handled"], one["refused"]) for one in actors if one["name"] == "Jukebox"] == [
        (2, 1)
    ]
