"""One shop after the other on the same database: who owns it, and where the next one goes on."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import trio

from tests.system.api import ORDER, brew, finish, look, order, park, start
from tests.system.shop import COMMAND, FREE_PORTS, TIMEOUT, environment, open_shop
from tests.system.test_keys import order as order_with_key

KILLED = -signal.SIGKILL


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """Give the URL of a ledger that outlives its shop."""
    return f"sqlite:///{tmp_path}/cafe.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Give the URL of such a ledger, of each kind."""
    given: str = request.getfixturevalue("file_url" if request.param == "sqlite" else "postgresql")
    return given


async def serve_too(url: str) -> CompletedProcess[bytes]:
    """Run another shop on a database, to its end."""
    with trio.fail_after(TIMEOUT):
        return await trio.run_process(
            [*COMMAND, *FREE_PORTS],
            env=environment({"database_url": url}),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


async def test_a_second_shop_is_refused_and_takes_over_when_the_first_is_killed(url: str) -> None:
    with open_shop(database_url=url, exit_code=KILLED) as first:
        async with first.customers() as customer:
            placed = await order(customer)
        second = await serve_too(url)
        assert (second.returncode, second.stdout) == (2, b"")
        holder = first.process.pid
        refusal = rf"cafe: (\S+ is in use by process {holder}|Another shop uses [\w ]+)\.\n"
        assert re.fullmatch(refusal, second.stderr.decode())
        async with first.customers() as customer:  # which has not noticed
            assert (await look(customer, placed["order_id"]))["status"] == "waiting"
        first.process.kill()
        await first.ended()
        with open_shop(database_url=url) as next_one:
            async with next_one.baristas() as barista:
                assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_kept_orders_are_in_their_place_after_a_stop(file_url: str) -> None:
    with open_shop(database_url=file_url) as shop:
        async with shop.customers() as customer, shop.baristas() as barista:
            brewed = await order_with_key(customer, "brewed")
            await brew(barista)
            claimed = await order(customer)
            await start(barista)
            kept = [await order(customer, name=name) for name in ("Ada", "Bob", "Cy")]
            kept.append(await order_with_key(customer, "waiting"))
            before = await shop.orders()
    with open_shop(database_url=file_url) as shop:
        after = await shop.orders()
        places = ("order_id", "number", "name", "status", "position", "placed_at")
        assert [[one[what] for what in places] for one in after] == [
            [one[what] for what in places] for one in before
        ]
        assert [one["order_id"] for one in after[1:]] == [one["order_id"] for one in kept]
        async with shop.customers() as customer, shop.baristas() as barista:
            assert (await order_with_key(customer, "brewed", 200))["number"] == brewed["number"]
            again = await order_with_key(customer, "waiting")
            assert (again["order_id"], again["position"]) == (kept[-1]["order_id"], 4)
            new = await order(customer)
            assert (new["number"], new["position"]) == (kept[-1]["number"] + 1, 5)
            await finish(barista, claimed["order_id"])
            ids = [(await brew(barista))["order_id"] for _ in range(5)]
            assert ids == [one["order_id"] for one in (*kept, new)]


async def test_customers_who_waited_when_the_shop_was_killed_are_not_brewed_for(
    file_url: str,
) -> None:
    with open_shop(database_url=file_url, exit_code=KILLED) as shop:
        async with await park(shop, "127.0.0.9"), shop.baristas() as barista:
            begun = await start(barista, wait=20)
            async with await park(shop, "127.0.0.9", ORDER):
                await shop.has_waiting(1)
                waiting = (await shop.orders("waiting"))[0]["order_id"]
                shop.process.kill()
                await shop.ended()
    with open_shop(database_url=file_url) as shop:
        async with shop.customers() as customer, shop.baristas() as barista:
            assert (await barista.get("/start/")).status_code == 204
            assert (await look(customer, waiting))["status"] == "cancelled"
            finished = await finish(barista, begun["order_id"])
            assert (finished["status"], finished["collected"]) == ("ready", False)
