"""The report, the bans and the APIs of other systems, at fronts."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.cafe.both_ends import needs_redis, open_both_ends

pytestmark = needs_redis

BASKET = {"items": [{"product_id": "latte", "quantity": 1}]}


async def test_a_manager_reads_the_report_and_the_bans(tmp_path: Path) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        manager = await here.with_role("manager")
        customer = await there.with_role("customer")
        await there.customer.post("/orders", json=BASKET, headers=customer)
        report = await here.staff.get("/admin/report", headers=manager)
        assert (report.status_code, report.json()["orders"]) == (httpx.codes.OK, 1)
        bans = await here.staff.get("/admin/bans", headers=manager)
        assert bans.json() == {"bans": []}


async def test_the_apis_of_other_systems_and_the_pages_are_served(tmp_path: Path) -> None:
    async with open_both_ends(tmp_path) as ends:
        here = ends.here
        systems = (await here.customer.get("/compat/")).json()["systems"]
        assert "functech" in {one["name"] for one in systems}
        page = await here.customer.get("/board")
        assert page.status_code == httpx.codes.OK
