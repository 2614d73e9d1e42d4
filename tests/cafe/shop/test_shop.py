"""The composition root: what it sets up, and in which order it opens and closes."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Generator
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from prometheus_client import CollectorRegistry

from actors import open_system
from actors.instruments.slow_turns import SlowTurns
from actors.testing import Probe
from cafe.http.refusals import Closing
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Offer
from cafe.operations.operator_api import NotReady
from cafe.orders.department import OrdersOffer
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import CountQueue
from cafe.server.config import ConfigError
from cafe.server.serve import BindError
from cafe.settings import Settings, read_settings
from cafe.shop.departments import OURS
from cafe.shop.ports import read_ports
from cafe.shop.process import exit_at_once, tell_signal
from cafe.shop.shop import READY_SECONDS, Shop, open_house, run_shop
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_ledger

FREE_PORTS = {"client_bind": "127.0.0.1:0", "worker_bind": "127.0.0.1:0"}
IN_MEMORY = {**FREE_PORTS, "database_url": "sqlite://"}


@pytest.fixture(autouse=True)
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[list[Any]]:
    """Return the lines of the log, in a folder without files and without variables."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("CAFE_"):
            monkeypatch.delenv(name)
    with structlog.testing.capture_logs() as captured:
        yield captured


def settings(**given: object) -> Settings:
    return read_settings({**IN_MEMORY, **given})


def reason(why_not: NotReady | None) -> str:
    assert why_not is not None
    return why_not.reason


def test_without_files_and_settings_the_defaults_hold() -> None:
    client, worker = read_ports(read_settings({}))
    assert (client.config.bind, worker.config.bind) == (["127.0.0.1:8080"], ["127.0.0.1:8081"])
    assert (client.name, client.docs) == ("client", "/api/v1/client/docs")
    assert (worker.name, worker.docs) == ("worker", "/api/v1/worker/docs")


def test_a_setting_takes_precedence_over_its_file() -> None:
    Path("hypercorn_client.toml").write_text("bind = '127.0.0.1:1'\nbacklog = 7\n", "utf-8")
    client, _ = read_ports(settings())
    assert (client.config.bind, client.config.backlog) == (["127.0.0.1:0"], 7)


def test_responses_under_way_take_no_longer_than_the_shutdown_may() -> None:
    Path("hypercorn_worker.toml").write_text("graceful_timeout = 0.5\n", "utf-8")
    client, worker = read_ports(settings(closing_seconds=4))
    assert (client.config.graceful_timeout, worker.config.graceful_timeout) == (2.0, 0.5)


async def test_the_address_of_a_trusted_proxy_is_not_banned_on_either_port() -> None:
    for port in read_ports(settings(trusted_proxies="192.0.2.0/24")):
        port.admission.ban("192.0.2.7", until=inf)
        assert port.admission.admit("192.0.2.7") is not None


@pytest.mark.parametrize("which", ["client_config", "worker_config"])
def test_a_file_that_a_setting_names_has_to_exist(which: str) -> None:
    with pytest.raises(ConfigError, match="There is no file"):
        read_ports(settings(**{which: "none.toml"}))


async def test_a_shop_is_ready_until_it_closes(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - time passes at once
) -> None:
    store = FaultyStore()
    async with open_ledger(store) as ledger, open_system() as system:
        shop = await open_house(
            settings(closing_seconds=0.01), system, ledger, CollectorRegistry(), OURS
        )
        assert await shop.why_not_ready() is None
        store.link.gone = True
        began = trio.current_time()
        assert reason(await shop.why_not_ready()) == "ledger"
        assert trio.current_time() - began <= READY_SECONDS
        store.link.gone = False
        await shop.close()
        assert shop.ports_shut.is_set()
        assert reason(await shop.why_not_ready()) == "closing"
        (orders,) = (offer for offer in shop.offers if isinstance(offer, OrdersOffer))
        assert not (await orders.dispatcher.ask(CountQueue())).accepting


async def test_a_shop_whose_actors_do_not_reply_is_not_ready(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limiter, dispatcher = Probe(RateLimiter), Probe(Dispatcher)
    offer = Offer(name="orders", answers=partial(dispatcher.ask, CountQueue()))
    async with open_ledger() as ledger, open_system() as system:
        shop = Shop(settings(), system, limiter, Closing(), (offer,), ledger=ledger)
        assert reason(await shop.why_not_ready()) == "actors"
    assert autojump_clock.current_time() < 2


async def test_both_addresses_are_announced_once_both_ports_accept_and_a_signal_closes() -> None:
    announced: list[str] = []

    def announce(line: str) -> None:
        announced.append(line)
        if len(announced) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    with trio.fail_after(10):
        await run_shop(settings(closing_seconds=2), announce)
    assert [line.split("/")[0] for line in announced] == ["client http:", "worker http:"]
    assert {one: signal.getsignal(one) for one in handlers} == handlers


async def run_and_close(**given: object) -> None:
    """Run a shop, and close it as soon as it is open."""

    def announce(line: str) -> None:
        if line.startswith("worker"):
            os.kill(os.getpid(), signal.SIGTERM)

    with trio.fail_after(10):
        await run_shop(settings(closing_seconds=2, **given), announce)


async def test_the_shutdown_logs_once_what_each_actor_has_done(lines: list[Any]) -> None:
    await run_and_close()
    assert [line["event"] for line in lines][-3:] == ["closing", "actors", "closed"]
    first, limiter, keeper, *_ = lines[-2]["tree"]
    assert first == "system, one_for_one"
    assert limiter.startswith("├─ RateLimiter running, queued 0 of 10000")
    assert keeper.startswith("├─ MenuKeeper running, queued 0 of 10000")


DEFAULTS = "built-in defaults are used"


async def test_a_start_in_another_folder_tells_its_database_and_warns_of_missing_files(
    lines: list[Any], tmp_path: Path
) -> None:
    await run_and_close(database_url="sqlite:///other.db")
    (used,) = (line for line in lines if line["event"] == "using")
    assert used["database"] == f"sqlite:///{tmp_path}/other.db (new)"
    assert used["client_config"] == used["worker_config"] == "built-in defaults"
    warnings = [line for line in lines if line["event"] == DEFAULTS]
    assert {line["log_level"] for line in warnings} == {"warning"}
    names = ["hypercorn_client.toml", "hypercorn_worker.toml"]
    assert [line["missing"] for line in warnings] == [f"{tmp_path}/{name}" for name in names]
    assert ["--client-config" in line["detail"] for line in warnings] == [True, False]


def make_files(*names: str) -> None:
    for name in names:
        Path(name).touch()


async def test_a_start_tells_the_files_that_it_uses_and_warns_of_none(
    lines: list[Any], tmp_path: Path
) -> None:
    make_files("hypercorn_client.toml", "theirs.toml", "old.db")
    await run_and_close(database_url="sqlite:///old.db", worker_config="theirs.toml")
    (used,) = (line for line in lines if line["event"] == "using")
    assert used["database"] == f"sqlite:///{tmp_path}/old.db"
    assert used["client_config"] == f"{tmp_path}/hypercorn_client.toml"
    assert used["worker_config"] == f"{tmp_path}/theirs.toml"
    assert DEFAULTS not in [line["event"] for line in lines]


async def test_the_shop_logs_slow_turns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cafe.shop.shop.SlowTurns", partial(SlowTurns, seconds=0))
    await run_and_close()
    assert re.search(r"Dispatcher took 0\.\d+ s to handle CountQueue", caplog.text)


async def test_with_a_port_in_use_no_port_is_opened_or_announced() -> None:
    announced: list[str] = []
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with trio.fail_after(10), pytest.RaisesGroup(BindError, flatten_subgroups=True):
            await run_shop(settings(worker_bind=bind), announced.append)
    assert announced == []


async def test_after_the_first_signal_the_next_one_ends_the_process() -> None:
    both = (signal.SIGTERM, signal.SIGINT)
    with trio.open_signal_receiver(*both) as signals:  # it restores the handlers
        os.kill(os.getpid(), signal.SIGINT)
        closing_time = trio.Event()
        await tell_signal(signals, closing_time)
        assert closing_time.is_set()
        assert [signal.getsignal(one) for one in both] == [exit_at_once] * 2
