"""The list of systems whose clients are served, their OpenAPI pages, and the one that is ours."""

from __future__ import annotations

import httpx
import pytest
import trio

from cafe.setting_types import COMPAT
from tests.system.api import LATER
from tests.system.shop import Shop, open_shop

TRANSLATED = [name for name in COMPAT if name != "cafe"]


async def systems(client: httpx.AsyncClient) -> list[str]:
    """Return the names that `GET /compat/` lists, after a look at each page that it links to."""
    listed = (await client.get("/compat/")).raise_for_status().json()["systems"]
    for one in listed:
        assert one.keys() == {"name", "title", "base_url", "docs"}
        assert one["base_url"] == f"/compat/{one['name']}"
        page = await client.get(one["docs"])
        assert page.status_code == 200
        assert "swagger-ui" in page.text
    return [one["name"] for one in listed]


async def test_all_systems_are_listed_with_links_to_their_pages(shop: Shop) -> None:
    async with shop.customers() as customer, shop.baristas() as barista:
        assert await systems(customer) == list(COMPAT)
        assert await systems(barista) == ["cafe", "courier-service"]


@pytest.mark.parametrize("name", TRANSLATED)
async def test_a_systems_page_describes_its_own_calls_under_its_own_prefix(
    shop: Shop, name: str
) -> None:
    async with shop.customers() as customer:
        theirs = (await customer.get(f"/compat/{name}/openapi.json")).json()
        ours = (await customer.get("/openapi.json")).json()
        assert theirs["servers"] == [{"url": f"/compat/{name}"}]
        assert theirs["info"]["title"] != ours["info"]["title"]
        for path in theirs["paths"]:
            shown = path.replace("{", "").replace("}", "")
            assert (await customer.options(f"/compat/{name}{shown}")).status_code == 204


async def test_the_pages_of_the_main_apps_say_nothing_of_other_systems(shop: Shop) -> None:
    async with shop.customers() as customer, shop.baristas() as barista:
        for client in (customer, barista):
            document = (await client.get("/openapi.json")).text
            assert "compat" not in document
            assert "functech" not in document


async def test_only_the_systems_that_the_setting_names_are_served() -> None:
    with open_shop(compat="functech, cafe") as shop:
        async with shop.customers() as customer, shop.baristas() as barista:
            assert await systems(customer) == ["cafe", "functech"]
            assert await systems(barista) == ["cafe"]
            for client in (customer, barista):
                for name in ("courier-service", "coffee-shop", "restaurant-booking"):
                    assert (await client.get(f"/compat/{name}/docs")).status_code == 404
            assert (await barista.get("/compat/functech/docs")).status_code == 404


async def test_an_empty_setting_serves_no_other_system() -> None:
    with open_shop(compat="") as shop:
        async with shop.customers() as customer:
            for path in ("/compat/", "/compat/cafe/docs", "/compat/functech/docs"):
                assert (await customer.get(path)).status_code == 404
            assert (await customer.get("/menu")).status_code == 200
            assert "/compat" not in (await customer.get("/")).text


async def test_a_client_of_the_cafe_waits_at_its_own_paths_until_a_barista_has_finished(
    shop: Shop,
) -> None:
    """`POST /api/v1/client/order/`, and on the worker port `GET /start/`, `POST /finish/`."""
    answers: list[httpx.Response] = []
    for base in ("", "/compat/cafe"):
        async with (
            shop.customers() as customer,
            shop.baristas() as barista,
            trio.open_nursery() as nursery,
        ):

            async def order(client: httpx.AsyncClient, prefix: str) -> None:
                answers.append(await client.post(f"{prefix}/api/v1/client/order/"))

            nursery.start_soon(order, customer, base)
            claim = await barista.get(f"{base}/start/", params={"wait": 20})
            assert claim.status_code == 200
            order_id = claim.json()["order_id"]
            finished = await barista.post(f"{base}/finish/", json={"order_id": order_id})
            assert finished.json()["collected"]
            docs = await customer.get(f"{base}/api/v1/client/docs")
            assert docs.status_code == 200
    assert [one.status_code for one in answers] == [200, 200]


async def test_links_and_locations_lead_back_to_the_prefix_that_was_used(shop: Shop) -> None:
    async with shop.customers() as customer, shop.baristas() as barista:
        for prefix in ("/compat/cafe", "/compat/cafe/api/v1", "/compat/cafe/api/v1/client"):
            ordered = await customer.post(f"{prefix}/order/", headers=LATER)
            place = ordered.headers["Location"]
            assert place == f"{prefix}/order/{ordered.json()['order_id']}"
            assert (await customer.get(place)).status_code == 200
            await barista.get("/start/")
            await barista.post("/finish/", json={"order_id": ordered.json()["order_id"]})


async def test_wrong_calls_under_a_prefix_are_problems(shop: Shop) -> None:
    async with shop.customers() as customer:
        unknown = await customer.get("/compat/functech/nothing")
        assert (unknown.status_code, unknown.headers["Content-Type"]) == (
            404,
            "application/problem+json",
        )
        assert unknown.json()["detail"]
        wrong = await customer.put("/compat/functech/auth/token")
        assert wrong.status_code == 405
        assert "POST" in wrong.headers["Allow"]


async def test_where_nothing_is_the_answer_names_the_page_of_the_prefix(shop: Shop) -> None:
    async with shop.customers() as customer:
        for prefix in ("", "/api/v1", *(f"/compat/{name}" for name in COMPAT)):
            detail = (await customer.get(f"{prefix}/nothing")).json()["detail"]
            assert detail == f"There is nothing at this path; {prefix}/docs tells what there is."
            assert (await customer.get(f"{prefix}/docs")).status_code == 200


async def test_the_log_and_the_metrics_name_the_prefix_of_a_route(shop: Shop) -> None:
    async with shop.customers() as customer:
        await customer.get("/compat/functech/auth/me", headers={"X-Request-ID": "of-functech"})
    line = await shop.log.line("request", request_id="of-functech")
    assert line["route"] == "/compat/functech/auth/me"
