"""A shop ends in CAFE_CLOSING_SECONDS and with exit code 0, whatever its database or its disk does.

What is not committed by then was acknowledged to no one.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from tests.cafe.ledger.postgres import PostgresServer
from tests.system.api import LATER, order, park, problem, start
from tests.system.raw_client import Client
from tests.system.shop import COMMAND, FREE_PORTS, Shop, environment, open_shop
from tests.system.until import poll_until, until_asked

CLOSING = 3.0
OFFICE = "127.0.0.5"
OWNED = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"
"""Finds the lock that a shop takes when it has connected."""
BUSY = 2.0
READY = 1.0 + BUSY
"""Seconds: a check gives up after one; and a machine that is busy takes longer for anything."""


async def is_not_ready_soon(shop: Shop) -> None:
    """Check that the first answer of `/readyz` says so, and comes soon."""
    async with shop.customers() as prober:
        began = trio.current_time()
        answer = await prober.get("/readyz")
    assert problem(answer, 503)["detail"] == "The ledger cannot be written."
    assert trio.current_time() - began < READY


async def closes_in_time(shop: Shop, signum: signal.Signals = signal.SIGTERM) -> None:
    began = trio.current_time()
    shop.process.send_signal(signum)
    assert await shop.ended() == 0
    assert trio.current_time() - began < CLOSING + BUSY


async def has_uncommitted(shop: Shop) -> bool:
    return await shop.metric("cafe_ledger_uncommitted") > 0


async def order_unwritten(customer: httpx.AsyncClient) -> None:
    """Order while nothing can be written; the answer is a refusal."""
    refused = await customer.post("/order/", headers=LATER)
    assert problem(refused, 503)["reason"] == "ledger"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_shop_whose_server_is_frozen_is_not_ready_and_closes_in_time(
    postgresql_server: PostgresServer, postgresql: str, signum: signal.Signals
) -> None:
    with open_shop(database_url=postgresql, closing_seconds=CLOSING) as shop:
        async with shop.customers() as customer, shop.baristas() as barista:
            await order(customer)
            await start(barista)
            async with await park(shop, OFFICE) as waiting:
                await shop.has_waiting(1)
                with postgresql_server.frozen():
                    await is_not_ready_soon(shop)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(order_unwritten, customer)
                        await until_asked(partial(has_uncommitted, shop))
                        await closes_in_time(shop, signum)
                answer = await Client(waiting).read("POST")
    assert answer.status == 503
    with open_shop(database_url=postgresql) as again:
        # That of the customer who left unanswered is cancelled, and the last one never was.
        assert [one["status"] for one in await again.orders()] == ["preparation"]


def test_a_shop_that_opens_on_a_server_that_freezes_closes_in_time(
    postgresql_server: PostgresServer, postgresql: str
) -> None:
    """It has connected, and now reads what its departments need."""
    settings = {"database_url": postgresql, "closing_seconds": CLOSING}
    with subprocess.Popen(
        [*COMMAND, *FREE_PORTS],
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as opening:
        try:
            poll_until(partial(postgresql_server.execute, OWNED))
            with postgresql_server.frozen():
                time.sleep(0.5)  # whatever it begins now has no answer
                opening.send_signal(signal.SIGTERM)
                printed, _ = opening.communicate(timeout=CLOSING + BUSY)
        finally:
            opening.kill()
    assert (opening.returncode, printed) == (0, b"")


HUNG = """
import sys, threading
from functools import partial
import trio
import cafe.cli.commands
from cafe.cli.opening import open_shop
from cafe.offer import Offer
from cafe.shop.departments import DEPARTMENTS, Departments, open_departments

async def open_hung(house):
    async def hang():
        await trio.to_thread.run_sync(threading.Event().wait)
    return *await open_departments(house), Offer(name="hung", tasks=(hang,))

names = [name.removeprefix("--").replace("-", "_") for name in sys.argv[1::2]]
sys.exit(open_shop(dict(zip(names, sys.argv[2::2])), Departments(DEPARTMENTS, open_hung)))
"""


async def test_a_call_that_hangs_and_cannot_be_cancelled_is_left_behind() -> None:
    program = (sys.executable, "-c", HUNG)
    with open_shop(program=program, closing_seconds=CLOSING) as shop:
        await closes_in_time(shop)
        await shop.log.line("threads that hang are left behind")


HANGING_DISK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static int after_hanging(const char *name, int fd) {
    struct timespec moment = {0, 20000000};
    while (access(getenv("HANGS_WHILE"), F_OK) == 0) nanosleep(&moment, 0);
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return after_hanging("fsync", fd); }
int fdatasync(int fd) { return after_hanging("fdatasync", fd); }
"""


@pytest.fixture
def hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes the disk hang, for shops that are opened from now on: no sync ends."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here, to make a disk that hangs")
    source, library, hangs = tmp_path / "disk.c", tmp_path / "disk.so", tmp_path / "hangs"
    source.write_text(HANGING_DISK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("HANGS_WHILE", str(hangs))
    return hangs.touch


async def test_a_shop_whose_disk_hangs_is_not_ready_and_closes_in_time(
    hang: Callable[[], None],
) -> None:
    with open_shop(program=COMMAND, closing_seconds=CLOSING) as shop:  # LD_PRELOAD is of its start
        async with shop.customers() as customer, await park(shop, OFFICE) as waiting:
            await shop.has_waiting(1)
            hang()
            await is_not_ready_soon(shop)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(order_unwritten, customer)
                await until_asked(partial(has_uncommitted, shop))
                await closes_in_time(shop)
            assert (await Client(waiting).read("POST")).status == 503
