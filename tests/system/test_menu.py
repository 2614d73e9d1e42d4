"""The menu over real sockets: shown to all, sold at the counter, changed by managers."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import trio

from tests.system import warm
from tests.system.api import brew, finish, order, problem, start
from tests.system.raw_client import Client
from tests.system.shop import Shop, environment, open_shop

pytestmark = pytest.mark.once

FIRST = ["Americano", "Latte", "Espresso", "Macchiato", "Iced Coffee", "Donuts"]


class Owned(NamedTuple):
    """A shop of a test's own, and the URL of its database."""

    shop: Shop
    url: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `cafe` that manages the shop while it runs."""
        return run_cafe(self.url, *arguments, "--url", self.shop.worker)

    async def manage(self, *arguments: str) -> str:
        """Run such a command, and return what it prints."""
        done = await trio.to_thread.run_sync(lambda: self.run(*arguments))
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def manager(self) -> httpx.AsyncClient:
        """Return a client of the staff's app with the token of a manager."""
        token = await self.manage("tokens", "add", "tests", "--role", "manager")
        return self.shop.baristas(headers={"Authorization": f"Bearer {token.strip()}"})


@pytest.fixture(params=["sqlite", "postgresql"])
def owned(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Owned]:
    """Yield a shop of the test's own, on each database."""
    url = f"sqlite:///{tmp_path}/cafe.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
    with open_shop(database_url=url) as shop:
        yield Owned(shop, url)


def run_cafe(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `cafe` on the database of a shop."""
    return warm.run(arguments, environment({"database_url": url}), timeout=60)


def names(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [product["name"] for product in response.json()["products"]]


async def test_the_menu_is_on_both_apps_and_is_sent_once(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for client, prefix in ((customer, "/api/v1/client"), (barista, "/api/v1/worker")):
            for path in ("/menu", "/menu/", f"{prefix}/menu"):
                shown = await client.get(path)
                assert names(shown) == FIRST
                tag = shown.headers["etag"]
                assert shown.headers.get_list("cache-control") == ["no-cache"]
                kept = await client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
                assert (kept.status_code, kept.content) == (304, b"")
                assert kept.headers["etag"] == tag
                head = await client.head(path)
                assert (head.status_code, head.content) == (200, b"")
                assert head.headers["content-length"] == str(len(shown.content))
            refused = await client.post("/menu")
            assert problem(refused, 405)
            assert refused.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_a_connection_goes_on_after_a_menu_that_was_not_modified(
    shop: Shop, address: str
) -> None:
    request = b"GET /menu HTTP/1.1\r\nHost: cafe\r\nIf-None-Match: *\r\n\r\n"
    async with await shop.connect(address) as stream:
        client = Client(stream)
        for _ in range(3):
            answer = await client.ask(request)
            assert (answer.status, answer.body) == (304, b"")
            assert b"transfer-encoding" not in answer.headers


async def test_a_port_with_a_token_shows_the_menu_to_all(guarded: Shop) -> None:
    async with guarded.baristas() as barista:
        assert names(await barista.get("/menu")) == FIRST
        problem(await barista.get("/admin/products"), 401)


async def test_the_counter_serves_any_product_by_its_name_or_id(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for drink, shown in (
            ("latte", "latte"),
            ("ICED COFFEE", "iced coffee"),
            ("iced-coffee", "iced coffee"),
        ):
            placed = await order(customer, drink=drink)
            claim = await start(barista)
            assert placed["drink"] == claim["drink"] == shown
            await finish(barista, claim["order_id"])
        refused = problem(await customer.post("/order/", json={"drink": "tea"}), 422)
        assert refused["menu"] == FIRST


async def test_a_manager_changes_the_menu_and_old_orders_go_on(owned: Owned) -> None:
    shop = owned.shop
    async with (
        await owned.manager() as boss,
        shop.customers() as customer,
        shop.baristas() as barista,
    ):
        tag = (await customer.get("/menu")).headers["etag"]
        placed = await order(customer, drink="latte")
        chai = {"name": "Chai \u2615", "base_price_cents": 350}
        added = await boss.post("/admin/products", json=chai)
        assert added.status_code == 201, added.text
        problem(await boss.post("/admin/products", json=chai), 409)
        path = f"/admin/products/{added.json()['id']}"
        assert (await boss.patch(path, json={"sold_out": True})).json()["sold_out"]
        assert (await boss.delete("/admin/products/latte")).status_code == 204
        assert (await boss.delete("/admin/products/latte")).status_code == 204
        problem(await boss.patch("/admin/products/latte", json={}), 404)
        changed = await customer.get("/menu", headers={"If-None-Match": tag})
        assert names(changed) == [*(one for one in FIRST if one != "Latte"), "Chai \u2615"]
        for drink in ("latte", "chai \u2615"):
            refused = problem(await customer.post("/order/", json={"drink": drink}), 422)
            assert refused["menu"] == [one for one in FIRST if one != "Latte"]
        shown = (await customer.get(f"/order/{placed['order_id']}")).json()
        assert shown["drink"] == "latte"
        assert (await brew(barista))["order_id"] == placed["order_id"]
        listed = await boss.get("/admin/products")
        assert listed.json() == changed.json()


async def test_a_file_is_imported_into_a_shop_that_runs(owned: Owned, tmp_path: Path) -> None:
    file = tmp_path / "menu.yaml"
    async with owned.shop.customers() as customer:
        assert await owned.manage("menu", "export", str(file)) == f"{file}: 6 products\n"
        text = file.read_text("utf-8")
        file.write_text(text.replace("4.00", "19.99", 1).replace("Donuts", "1:30"), "utf-8")
        await owned.manage("menu", "import", str(file))
        shown = await customer.get("/menu")
        assert names(shown) == [*FIRST[:-1], "1:30"]
        assert shown.json()["products"][1]["base_price_cents"] == 1999
        file.write_text(text.replace("4.00", "2.345", 1), "utf-8")
        wrong = await trio.to_thread.run_sync(lambda: owned.run("menu", "import", str(file)))
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert wrong.stderr.startswith(f"cafe: {file}, line 15: products.1.price: A price")
        assert (await customer.get("/menu")).content == shown.content


def test_a_file_is_imported_while_no_shop_runs_and_shown_by_the_next(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/cafe.db", tmp_path / "menu.yaml"
    with open_shop(database_url=url) as shop:
        tag = httpx.get(f"{shop.client}/menu").headers["etag"]
    assert run_cafe(url, "menu", "export", str(file)).returncode == 0
    assert run_cafe(url, "menu", "import", str(file)).returncode == 0
    with open_shop(database_url=url) as shop:
        assert httpx.get(f"{shop.client}/menu").headers["etag"] == tag
    file.write_text("products:\n- {name: NO, price: 1.00}\n", "utf-8")
    assert run_cafe(url, "menu", "import", str(file)).returncode == 0
    with open_shop(database_url=url) as shop:
        assert names(httpx.get(f"{shop.client}/menu")) == ["NO"]
