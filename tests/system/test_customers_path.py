"""A customer's path: register, sign in, look at the menu, order, pay, be notified, collect.

Rule: a real client of the real process, on both databases; and README's commands, run as written
but for the ports.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.system.paying import Providers, open_providers
from tests.system.shop import Shop, open_shop
from tests.system.until import until

ROOT = Path(__file__).parent.parent.parent
RUN_AS_WRITTEN = re.compile(
    r"^<!-- run as written -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
ADA = {"email": "Ada@cafe.example", "password": "correct horse, battery"}
LETTERS = ("received", "accepted")
STATUSES = ["waiting", "preparation", "ready", "delivered"]


@pytest.fixture
def providers() -> Generator[Providers]:
    with open_providers() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, providers: Providers) -> Generator[Shop]:
    settings: dict[str, Any] = dict(providers.settings)
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgresql")
    with open_shop(**settings) as opened:
        yield opened


async def test_a_customer_registers_orders_pays_is_notified_and_collects(
    shop: Shop, providers: Providers
) -> None:
    async with shop.customers() as customer, shop.baristas() as barista:
        registered = await customer.post("/auth/register", json=ADA)
        assert registered.status_code == 201
        form = {"username": "ada@cafe.example", "password": ADA["password"]}
        signed_in = await customer.post("/auth/token", data=form)
        bearer = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        menu = (await customer.get("/api/v1/menu")).json()["products"]
        (latte,) = (one for one in menu if one["name"] == "Latte")
        (vanilla,) = (one for one in latte["variations"] if one["name"] == "Vanilla")
        price = latte["base_price_cents"] + vanilla["price_change_cents"]
        item = {"product_id": latte["id"], "variation_id": vanilla["id"], "quantity": 2}
        basket = {"items": [item], "total_cents": 2 * price, "metadata": {"table": 4}}
        keyed = {**bearer, "Idempotency-Key": "adas-first"}
        placed = await customer.post("/api/v1/orders", json=basket, headers=keyed)
        assert placed.status_code == 201
        order = placed.json()
        assert (order["total_cents"], order["payment"]["status"]) == (2 * price, "placed")
        again = await customer.post("/api/v1/orders", json=basket, headers=keyed)
        assert (again.status_code, again.json()["order_id"]) == (200, order["order_id"])
        (charge,) = providers.done("charges")
        assert charge["body"] == {"value": 2 * price}

        claim = (await barista.get("/start/")).json()
        assert claim["order_id"] == order["order_id"]
        assert [line["quantity"] for line in claim["items"]] == [2]
        await barista.post("/finish/", json={"order_id": order["order_id"]})
        collected = await barista.patch(
            f"/orders/{order['order_id']}/status", json={"status": "delivered"}
        )
        assert collected.status_code == 200
        seen = await customer.get(f"/orders/{order['order_id']}", headers=bearer)
        assert seen.json()["status"] == "delivered"
        await until(lambda: len(providers.done("notifications")) == len(STATUSES))
        assert [one["body"]["status"] for one in providers.done("notifications")] == STATUSES


async def test_the_commands_of_the_readme_lead_from_an_account_to_a_coffee_a_delivery_and_a_table(
    providers: Providers, tmp_path: Path
) -> None:
    blocks = RUN_AS_WRITTEN.findall((ROOT / "README.md").read_text("utf-8"))
    letters = tmp_path / "mail"
    settings: dict[str, Any] = {**providers.settings, "mail_dir": str(letters)}
    with open_shop(**settings) as shop:
        script = "".join(blocks)
        for written, ours in (
            ("http://127.0.0.1:8080", shop.client),
            ("http://127.0.0.1:8081", shop.worker),
            ("http://127.0.0.1:8090", providers.url),
            (".venv/bin/cafe", f"{sys.executable} -m cafe"),
        ):
            assert written in script
            script = script.replace(written, ours)
        here = {
            "http_proxy": "",
            "CAFE_DATABASE_URL": shop.database_url,
            "CAFE_WORKER_BIND": shop.worker.removeprefix("http://"),
        }
        ran = await trio.run_process(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env={**os.environ, **here},
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        await until(lambda: len(list(letters.glob("*.eml"))) == len(LETTERS))
    printed = ran.stdout.decode()
    for end in (
        '"name":null,"status":"delivered"',  # the coffee at the counter
        '"status":"delivered","number":2',  # the basket that a courier brought
        '"status":"delivered","number":3',  # the cake
        '"status":"accepted"',  # the table
    ):
        assert end in printed
    assert len(providers.done("charges")) == len(("for the counter", "for the courier"))
