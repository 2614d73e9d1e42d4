"""What `cafe import` took over, seen through the shop that starts on it; and a killed import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import func, select

from cafe.accounts.tables import accounts
from cafe.compat.imports.moving import ORDERS
from cafe.ledger.checking import open_reader
from cafe.ledger.database import upgrade
from cafe.orders.kept_queries import find_secret
from cafe.orders.order import OrderIds
from cafe.orders.tables import orders
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.postgres import PostgresServer
from tests.imports import ROOT
from tests.system.credentials import bearer
from tests.system.paying import Providers, open_providers
from tests.system.shop import FREE_PORTS, Shop, environment, open_shop
from tests.system.until import until, until_asked

pytestmark = pytest.mark.once

EXPORTS = ROOT / "docs/examples/exports"
PASSWORD = "moving house"
FUNCTECH = json.loads((EXPORTS / "functech.json").read_text("utf-8"))
USER, ORDER = FUNCTECH["users"][0], FUNCTECH["orders"][0]


class Moved(NamedTuple):
    """A shop on what was imported, and the providers that it calls."""

    shop: Shop
    providers: Providers


def cafe(url: str, *args: str) -> int:
    """Run a command on a database, in this process; return its exit code."""
    return run_command([*args, f"--database-url={url}"])


@pytest.fixture(scope="module")
def providers() -> Generator[Providers]:
    with open_providers() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of an empty ledger."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('moved')}/cafe.db"
    server: PostgresServer = request.getfixturevalue("postgresql_server")
    url = server.url(server.new_database())
    upgrade(url)
    return url


@pytest.fixture(scope="module")
def moved(url: str, providers: Providers) -> Generator[Moved]:
    """Yield the shop, after the examples of all systems were imported."""
    for system in ORDERS:
        assert cafe(url, "import", system, str(EXPORTS / f"{system}.json")) == 0
    assert cafe(url, "db", "check") == 0
    settings: dict[str, Any] = {
        "worker_auth": "accounts",
        "database_url": url,
        **providers.settings,
    }
    with open_shop(FREE_PORTS, **settings) as shop:
        yield Moved(shop, providers)
    assert cafe(url, "db", "check") == 0


async def signed_in(client: httpx.AsyncClient, email: str) -> dict[str, str]:
    """Sign in with the password of the examples."""
    form = {"username": email, "password": PASSWORD}
    response = await client.post("/auth/token", data=form)
    assert response.status_code == 200, response.text
    return bearer(response.json()["access_token"])


@pytest.mark.parametrize(
    ("email", "user_id", "role"),
    [
        ("ada@example.com", "1", "customer"),
        ("grace@example.com", "2", "manager"),
        ("customer@example.org", "c-1", "customer"),
        ("boss@example.net", "12", "manager"),
    ],
)
async def test_users_sign_in_with_the_passwords_that_they_had(
    moved: Moved, email: str, user_id: str, role: str
) -> None:
    """Hashed with argon2id and argon2i, with other parameters than ours, by Django too."""
    async with moved.shop.customers() as client:
        me = (await client.get("/auth/me", headers=await signed_in(client, email))).json()
        assert (me["user_id"], me["email"], me["role"]) == (user_id, email, role)
        form = {"username": email, "password": "moving home"}
        assert (await client.post("/auth/token", data=form)).status_code == 401


async def test_products_are_on_the_menu_and_the_first_menu_is_not(moved: Moved) -> None:
    async with moved.shop.customers() as client:
        products = (await client.get("/menu")).json()["products"]
    names = [one["name"] for one in products]
    assert names == ["Latte", "Espresso", "Flat White", "Scone"]
    white, scone = products[2:]
    assert (white["id"], white["variations"][0]["id"]) == ("flat-white", "flat-white-oat")
    assert (scone["sold_out"], scone["base_price_cents"]) == (True, 310)


async def orders_of(client: httpx.AsyncClient, email: str) -> list[dict[str, Any]]:
    """Return all orders of a user, the newest first."""
    response = await client.get("/orders", headers=await signed_in(client, email))
    found: list[dict[str, Any]] = response.json()["orders"]
    return found


async def test_orders_are_their_users_history_as_it_was(moved: Moved) -> None:
    async with moved.shop.customers() as client:
        found = await orders_of(client, "ada@example.com")
        assert [(one["status"], one["total_cents"]) for one in found] == [
            ("waiting", 1000),
            ("waiting", 250),
            ("cancelled", 950),
            ("delivered", 860),
        ]
        latte = found[-1]
        assert latte["placed_at"].startswith("2025-02-01T08:00:00")
        assert latte["ready_at"].startswith("2025-02-01T08:03:00")
        assert [(one["variation"], one["quantity"]) for one in latte["items"]] == [("Vanilla", 2)]
        blend = [(one["quantity"], one["unit_price_cents"]) for one in found[0]["items"]]
        assert blend == [(2, 333), (1, 334)]
        found = await orders_of(client, "customer@example.org")
        assert [one["status"] for one in found] == ["waiting", "ready", "cancelled", "delivered"]
        assert found[-1]["metadata"] == {"table": 4}


async def test_an_order_is_found_by_the_id_that_the_secret_makes_of_its_former_one(
    moved: Moved,
) -> None:
    with open_reader(moved.shop.database_url) as connection:
        secret, _ = find_secret(connection) or (b"", 0)
    order_id = OrderIds(secret).of_imported("functech", "7")
    async with moved.shop.customers() as client:
        ada = await signed_in(client, "ada@example.com")
        response = await client.get(f"/orders/{order_id}", headers=ada)
        assert response.json()["total_cents"] == 860
        grace = await signed_in(client, "customer@example.org")
        assert (await client.get(f"/orders/{order_id}", headers=grace)).status_code == 404
        assert (await client.get("/orders/7", headers=ada)).status_code == 404


async def test_couriers_go_on_with_what_they_have_in_hand(moved: Moved) -> None:
    async with moved.shop.customers() as client:
        boss = await signed_in(client, "boss@example.net")
    async with moved.shop.baristas(headers=boss) as staff:
        ada = (await staff.get("/couriers/c-ada")).json()
        assert (ada["completed"], ada["avg_order_complete_time"]) == (2, 1800.0)
        assert (ada["avg_day_orders"], ada["on_duty"]) == (1.0, True)
        assert [one["name"] for one in (await staff.get("/districts")).json()["districts"]] == [
            "North",
            "Harbour",
        ]
        in_hand = (await staff.get(f"/deliveries/{ada['active_order']}")).json()
        assert (in_hand["name"], in_hand["status"]) == ("Ten espressi", "picked_up")
        published = {"name": "Muffins", "district": "Harbour"}
        muffins = (await staff.post("/deliveries", json=published)).json()
        assert muffins["courier_id"] == "c-grace"
        done = await staff.post(f"/deliveries/{ada['active_order']}/finish")
        assert (done.status_code, done.json()["status"]) == (200, "delivered")
        assert (await staff.get("/couriers/c-ada")).json()["completed"] == 3
        assert (await staff.post(f"/deliveries/{muffins['order_id']}/finish")).status_code == 200


async def test_tables_have_their_numbers_and_one_is_closed(moved: Moved) -> None:
    async with moved.shop.customers() as client:
        boss = await signed_in(client, "boss@example.net")
    async with moved.shop.baristas(headers=boss) as staff:
        tables = (await staff.get("/admin/tables")).json()["tables"]
    assert [(one["number"], one["type"], one["seats"], one["price_cents"]) for one in tables] == [
        (1, "regular", 4, 0),
        (2, "cabin", 6, 1500),
        (3, "room", 12, 6000),
    ]
    assert [one["status"] for one in tables] == ["open", "open", "closed"]


async def test_history_is_not_told_or_given_back_and_what_follows_is_told(moved: Moved) -> None:
    """An order that waited is brewed here: that is news; what happened before is not."""
    shop, providers = moved
    async with shop.customers() as client:
        grace = await signed_in(client, "grace@example.com")

        async def are_followed() -> bool:
            found = await orders_of(client, "ada@example.com")
            return [one["payment"]["status"] for one in found] == ["at_counter"] * 4

        await until_asked(are_followed)
        async with shop.baristas(headers=grace) as staff:
            started = (await staff.get("/start/")).json()
            await staff.post("/finish/", json={"order_id": started["order_id"]})
            await until(lambda: len(notified(providers, started["order_id"])) == 2)
    assert notified(providers, started["order_id"]) == ["preparation", "ready"]
    ids = {one["body"]["order_id"] for one in providers.done("notifications")}
    async with shop.customers() as client:
        imported = {
            order["order_id"]
            for email in ("ada@example.com", "customer@example.org")
            for order in await orders_of(client, email)
        }
    assert ids & imported == {started["order_id"]}
    assert providers.done("refunds") == providers.done("charges") == []


def notified(providers: Providers, order_id: str) -> list[str]:
    """Return the statuses of an order that were told."""
    bodies = [one["body"] for one in providers.done("notifications")]
    return [one["status"] for one in bodies if one["order_id"] == order_id]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_an_import_that_is_killed_leaves_nothing(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/cafe.db"
    if database == "postgresql":
        url = str(request.getfixturevalue("postgresql"))
    users = [{**USER, "user_id": f"k-{n}", "email": f"k{n}@example.com"} for n in range(3)]
    sold = [{**ORDER, "order_id": f"k-{n}", "user_id": "k-0"} for n in range(4_000)]
    file = tmp_path / "export.json"
    file.write_text(json.dumps({"users": users, "orders": sold}), "utf-8")
    command = [sys.executable, "-m", "cafe", "import", "functech", str(file)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, env=environment({"database_url": url})
    ) as run:
        assert run.stderr is not None
        line = b""
        while b"4,003 of 4,003 records checked" not in line:
            line = run.stderr.readline()
            assert line, "it has ended"
        run.kill()
    found = counts(url)
    # On a busy machine the signal may come when all is written.
    assert found in {(0, 0), (3, 4_000)}
    assert cafe(url, "import", "functech", str(file)) == (0 if found == (0, 0) else 2)
    assert counts(url) == (3, 4_000)


def counts(url: str) -> tuple[int, int]:
    """Count the accounts and the orders."""
    with open_reader(url) as connection:
        accounts_there, orders_there = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (accounts, orders)
        )
    return accounts_there, orders_there
