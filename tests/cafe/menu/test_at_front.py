"""The menu at fronts: changed at one of them, and read at all."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.cafe.both_ends import FrontEnd, needs_redis, open_both_ends
from tests.system.until import until_asked

pytestmark = needs_redis

TEA = {"name": "Tea", "base_price_cents": 200}


async def names_at(front: FrontEnd) -> list[str]:
    """Return what is on the menu at a front."""
    menu = await front.customer.get("/menu")
    return [one["name"] for one in menu.json()["products"]]


async def test_a_change_is_read_at_once_where_it_was_made_and_soon_at_other_fronts(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        first = await names_at(there)
        assert "Americano" in first
        manager = await here.with_role("manager")
        added = await here.staff.post("/admin/products", json=TEA, headers=manager)
        assert added.status_code == httpx.codes.CREATED
        assert await names_at(here) == [*first, "Tea"]

        async def is_there() -> bool:
            return await names_at(there) == [*first, "Tea"]

        await until_asked(is_there)
        taken = await there.staff.post("/admin/products", json=TEA, headers=manager)
        assert (taken.status_code, taken.json()["detail"]) == (
            409,
            "Another product has this name.",
        )
        path = f"/admin/products/{added.json()['id']}"
        deleted = await there.staff.delete(path, headers=manager)
        assert deleted.status_code == httpx.codes.NO_CONTENT
        assert await names_at(there) == first
        menu = (await there.customer.get("/menu")).json()
        replaced = await there.staff.put("/admin/menu", json=menu, headers=manager)
        assert replaced.json() == menu


async def test_the_menu_is_changed_and_read_after_another_house_has_taken_over(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        manager = await here.with_role("manager")
        ends.fail_over()
        added = await here.staff.post("/admin/products", json=TEA, headers=manager)
        assert added.status_code == httpx.codes.CREATED, added.text
        assert "Tea" in await names_at(here)

        async def is_there() -> bool:
            return "Tea" in await names_at(there)

        await until_asked(is_there)
