"""Accounts over real sockets: signing in, refreshing, roles, and commands beside a running shop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
import structlog
import trio

from tests.cafe.cli.running import run_command
from tests.system import warm
from tests.system.shop import Shop, environment, open_shop

pytestmark = pytest.mark.once

PASSWORD = "correct horse  "
BOSS = "boss@example.com"


class Run(Protocol):
    """Runs a command, and returns what it has printed."""

    async def __call__(self, *args: str, code: int = 0) -> str: ...


MOST_SECONDS = 120
"""For a command in a process of its own, on a machine that is busy."""


def cafe(*args: str, url: str, code: int = 0, **settings: object) -> str:
    """Run a command in a process of its own, and return what it has printed."""
    variables = environment({"database_url": url, **settings})
    done = warm.run(args, variables, MOST_SECONDS)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shop() -> Generator[Shop]:
    """Yield a shop whose baristas sign in."""
    with open_shop(worker_auth="accounts", worker_hosts="") as shop:
        yield shop


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Generator[None]:
    """Undo what a command in this process has set up."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def run(shop: Shop, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command beside that shop, in a thread of this process."""

    async def command(*args: str, code: int = 0) -> str:
        where = ("--url", shop.worker, "--database-url", f"sqlite:///{shop.database}")
        assert await trio.to_thread.run_sync(run_command, [*args, *where]) == code
        printed = capsys.readouterr()
        return printed.out + printed.err

    return command


async def signed_in(
    client: httpx.AsyncClient, email: str, password: str = PASSWORD
) -> dict[str, Any]:
    response = await client.post("/auth/token", data={"username": email, "password": password})
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return tokens


async def test_a_customer_registers_signs_in_and_refreshes(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer:
        wish = {"email": "ada@example.com", "password": PASSWORD, "username": "Ada"}
        registered = await customer.post("/auth/register", json=wish)
        assert registered.status_code == 201
        tokens = await signed_in(customer, "ADA@example.com")
        assert (await customer.get("/auth/me")).json() == registered.json()
        answers: list[httpx.Response] = []

        async def refresh() -> None:
            spent = {"refresh_token": tokens["refresh_token"]}
            answers.append(await customer.post("/auth/refresh", json=spent))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(refresh)
        assert {one.status_code for one in answers} == {200}
        assert len({one.json()["refresh_token"] for one in answers}) == 1
        await customer.post("/auth/logout", json={"everywhere": True})
        assert (await customer.get("/auth/me")).status_code == 401


async def test_of_twenty_registrations_at_once_one_succeeds(shop: Shop, address: str) -> None:
    statuses: list[int] = []
    async with shop.customers(address) as customer:

        async def register() -> None:
            wish = {"email": "at.once@example.com", "password": PASSWORD}
            statuses.append((await customer.post("/auth/register", json=wish)).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(register)
    assert sorted(statuses) == [201] + [409] * 19


async def test_commands_manage_a_shop_that_runs(shop: Shop, run: Run, address: str) -> None:
    added = ("--role", "barista", "--password", PASSWORD)
    assert (
        await run("users", "add", "Bo@example.com", *added) == "Bo@example.com  barista  active\n"
    )
    assert "There is an account" in await run("users", "add", "bo@EXAMPLE.com", *added, code=2)
    async with shop.baristas(address) as barista:
        assert (await barista.get("/start/")).status_code == 401
        await signed_in(barista, "bo@example.com")
        assert (await barista.get("/start/")).status_code == 204
        assert (await barista.get("/admin/users")).status_code == 403
        await run("users", "role", "bo@example.com", "customer")
        assert (await barista.get("/start/")).status_code == 403
        await run("users", "role", "bo@example.com", "manager")
        assert (await barista.get("/admin/users")).status_code == 200
        for refused in (("disable", "bo@example.com"), ("role", "bo@example.com", "courier")):
            assert "last active manager" in await run("users", *refused, code=2)
        await run("users", "add", BOSS, "--role", "manager", "--password", PASSWORD)
        await run("users", "disable", "bo@example.com")
        assert (await barista.get("/start/")).status_code == 401
    listed = await run("users", "list")
    assert "Bo@example.com  manager  disabled" in listed
    assert f"{BOSS}  manager  active" in listed


async def test_a_programs_token_holds_until_it_is_revoked(
    shop: Shop, run: Run, address: str
) -> None:
    token = (await run("tokens", "add", "till", "--role", "barista")).strip()
    async with shop.baristas(address, headers={"Authorization": f"Bearer {token}"}) as program:
        assert (await program.get("/start/")).status_code == 204
        await run("tokens", "revoke", "till")
        assert (await program.get("/start/")).status_code == 401
    assert token not in shop.log.text


@pytest.fixture(params=["file", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that no shop uses."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/cafe.db"
    return str(request.getfixturevalue("postgresql"))


async def test_what_a_command_adds_without_a_shop_signs_in_when_it_is_open(database: str) -> None:
    added = cafe("users", "add", BOSS, "--role", "manager", "--password", PASSWORD, url=database)
    assert added == f"{BOSS}  manager  active\n"
    headers: dict[str, str] = {}
    for number in range(2):
        with open_shop(database_url=database, worker_auth="accounts", worker_hosts="") as shop:
            async with shop.baristas(headers=headers) as boss:
                if not number:
                    await signed_in(boss, BOSS)
                    headers = {"Authorization": boss.headers["Authorization"]}
                # A token holds after a restart as well.
                assert (await boss.get("/admin/users")).status_code == 200
            if not number:  # its settings say where it listens
                where = shop.worker.removeprefix("http://")
                list_users = partial(cafe, "users", "list", url=database, worker_bind=where)
                assert await trio.to_thread.run_sync(list_users) == added


def test_a_password_is_asked_for_if_it_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "cafe", "users", "add", BOSS, "--role", "manager"],
        env=environment({"database_url": f"sqlite:///{tmp_path}/cafe.db"}),
        input=f"{PASSWORD}\n{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
        start_new_session=True,  # without a terminal
    )
    assert done.returncode == 0, done.stderr
    assert f"{BOSS}  manager  active" in done.stdout
    assert PASSWORD not in done.stdout
