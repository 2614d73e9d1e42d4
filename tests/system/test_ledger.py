"""The ledger of a real process: across restarts, kills and outages, and with other owners."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
import trio

from cafe.ledger.database import upgrade
from cafe.ledger.store import Store, open_store
from tests.cafe.ledger.order_histories import Tickets, unit_each
from tests.cafe.ledger.postgres import PostgresServer
from tests.system.api import LATER, ORDER, brew, finish, look, order, park, problem, start
from tests.system.killing import check, db_check, kill_repeatedly, open_until
from tests.system.load import Load
from tests.system.raw_client import Client, request
from tests.system.shop import Shop, open_shop, serve_until_exit
from tests.system.test_ordering import order_with_key
from tests.system.until import until_asked

pytestmark = pytest.mark.once

KILLED = -signal.SIGKILL


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """Return the URL of a ledger that outlives its shop."""
    return f"sqlite:///{tmp_path}/cafe.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of such a ledger, on each database."""
    given: str = request.getfixturevalue("file_url" if request.param == "sqlite" else "postgresql")
    return given


async def test_a_second_shop_is_refused_and_takes_over_when_the_first_is_killed(url: str) -> None:
    with open_shop(database_url=url, exit_code=KILLED) as first:
        async with first.customers() as customer:
            placed = await order(customer)
        second = await serve_until_exit(database_url=url)
        assert (second.returncode, second.stdout) == (2, b"")
        holder = first.process.pid
        refusal = rf"cafe: (\S+ is in use by process {holder}|Another shop uses [\w ]+)\.\n"
        assert re.fullmatch(refusal, second.stderr.decode())
        async with first.customers() as customer:  # still serves
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


ADDRESS = "127.0.0.14"
CLOSING = 2.0
WRONG = 2
KEYED = request("POST", "/order/", "Idempotency-Key: k")
START = request("GET", "/start/?wait=60")


def own(path: Path) -> Store:
    """Own a shop's file, as another program can once the lock file is removed."""
    path.with_name(path.name + ".lock").unlink()
    return open_store(f"sqlite:///{path}")


def write(path: Path) -> Store:
    """Write to a shop's file while it runs, and close it."""
    store = own(path)
    store.begin()
    store.commit(unit_each(Tickets(1_000).delivered("theirs")))
    store.close()
    return store


async def has_baristas(shop: Shop, baristas: int) -> bool:
    return await shop.metric("cafe_baristas") == baristas


@pytest.mark.parametrize(
    ("take", "message"),
    [(own, " is in use by process "), (write, "The database does not end with event ")],
)
async def test_all_who_wait_are_refused_before_the_process_ends_when_another_owns_the_database(
    tmp_path: Path, take: Callable[[Path], Store], message: str
) -> None:
    url, path = f"sqlite:///{tmp_path}/cafe.db", tmp_path / "cafe.db"
    with open_shop(database_url=url, closing_seconds=CLOSING, exit_code=WRONG) as shop:
        async with AsyncExitStack() as stack:
            customer = await stack.enter_async_context(shop.customers(ADDRESS))
            barista = await stack.enter_async_context(shop.baristas())
            kept = await order(customer)
            looked = request("GET", f"/order/{kept['order_id']}", "Prefer: wait=60")
            waiting = [
                await stack.enter_async_context(await park(shop, ADDRESS, raw))
                for raw in (ORDER, KEYED, looked)
            ]
            await shop.has_waiting(3)
            for _ in range(3):
                await start(barista)
            idle = await stack.enter_async_context(await shop.connect(url=shop.worker))
            await idle.send_all(START)
            await until_asked(lambda: has_baristas(shop, 4))
            other = take(path)
            began = trio.current_time()
            refused = await customer.post("/order/", headers=LATER)
            assert problem(refused, 503)["reason"] == "ledger"
            for stream in (*waiting, idle):
                answer = await Client(stream).read()
                assert answer.status == 503
                assert json.loads(answer.body)["reason"] == "ledger"
            for place in ("/queue", "/livez"):
                assert (await customer.get(place)).status_code == 200
            assert problem(await customer.get(f"/order/{kept['order_id']}"), 503)
            assert await shop.ended() == WRONG
            assert trio.current_time() - began < CLOSING + 1
            other.close()
        assert message in shop.log.text


WITH_KEY, WITHOUT_KEY, BARISTAS = 15, 15, 6
UNDER_LOAD = 1.5
LEASE = 3.0
OUTAGE = 7.0
"""Seconds, more than the five that a request waits for the ledger."""


async def readiness(shop: Shop) -> int:
    async with shop.customers() as client:
        return (await client.get("/readyz")).status_code


async def test_a_shop_under_load_recovers_by_itself_when_postgresql_is_back(
    postgresql_server: PostgresServer,
) -> None:
    url = postgresql_server.url(postgresql_server.new_database())
    upgrade(url)
    with open_until(None, url, LEASE) as shop:
        async with trio.open_nursery() as nursery:
            load = Load(nursery, Random(5))  # noqa: S311 - not a secret
            load.start_baristas(BARISTAS)
            load.use(shop)
            load.start_customers(with_key=WITH_KEY, without_key=WITHOUT_KEY)
            await trio.sleep(UNDER_LOAD)
            await trio.to_thread.run_sync(postgresql_server.stop, "immediate")
            try:
                async with shop.customers("127.6.0.1") as customer:
                    refused = await customer.post("/order/", headers={"Prefer": "respond-async"})
                assert problem(refused, 503)["reason"] == "ledger"
                assert refused.headers["retry-after"] == "5"
                assert await readiness(shop) == 503
                await trio.sleep(OUTAGE - 5)
            finally:
                await trio.to_thread.run_sync(postgresql_server.start)

            async def is_ready_again() -> bool:
                return await readiness(shop) == 200

            await until_asked(is_ready_again)
            await trio.sleep(UNDER_LOAD)
            totals = await check(shop, url, load, [])
            assert load.record.refused[503] > 0, "some requests had to be refused"
            assert totals.orders > 0
            nursery.cancel_scope.cancel()
        assert await db_check(url) == 0


async def test_each_acknowledged_change_outlives_each_kill(tmp_path: Path, seed: int) -> None:
    totals = await kill_repeatedly(f"sqlite:///{tmp_path}/cafe.db", kills=3, seed=seed)
    assert totals.kills == 3
    assert totals.recovered > 0
    assert totals.keyed > 0


async def test_each_acknowledged_change_outlives_a_kill_on_postgresql(
    postgresql: str, seed: int
) -> None:
    totals = await kill_repeatedly(postgresql, kills=1, seed=seed)
    assert totals.kills == 1
    assert totals.recovered > 0
