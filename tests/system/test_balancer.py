"""HAProxy between two fronts, with the configuration that docker-compose.yml runs it with.

A shop in one process stands in for a front: it has the same ports, routes and health checks. What
any proxy has to keep is in test_proxies.py.
"""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
import trio

from tests.cafe.ledger.postgres import missing
from tests.system.api import brew, order, park, problem
from tests.system.killing import kill
from tests.system.proxies import (
    BALANCER,
    MACHINES,
    configuration_of_balancer,
    program,
    running_balancer,
)
from tests.system.raw_client import Client
from tests.system.shop import Shop, open_shop
from tests.system.streaming import following
from tests.system.until import until

pytestmark = pytest.mark.once

KILLED = -9


@pytest.fixture(autouse=True)
def haproxy() -> str:
    found = program(MACHINES)
    if found is None:
        pytest.skip(missing("no haproxy here (on Debian: apt install haproxy)"))
    return found


@pytest.fixture(scope="module")
def front() -> Generator[Shop]:
    with open_shop(trusted_proxies="127.0.0.1") as shop:
        yield shop


@pytest.fixture
def balanced(front: Shop, tmp_path: Path) -> Generator[Shop]:
    """Yield the shop as it is reached through the balancer, in the place of both fronts."""
    with running_balancer([front, front], tmp_path) as shop:
        yield shop


def check(haproxy: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [haproxy, "-c", "-f", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_haproxy_accepts_the_configuration_and_finds_nothing_to_warn_of(
    haproxy: str, front: Shop, tmp_path: Path
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration_of_balancer([front, front], (8080, 8081)))
    checked = check(haproxy, file)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_a_front_whose_name_is_not_known_yet_does_not_keep_the_balancer_from_starting(
    haproxy: str, tmp_path: Path
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(BALANCER.read_text("utf-8").replace(" front-", " front.invalid-"))
    assert check(haproxy, file).returncode == 0


async def test_the_staff_s_port_is_balanced_as_well_and_says_whose_each_request_is(
    front: Shop, balanced: Shop, address: str
) -> None:
    async with balanced.customers(address) as customer, balanced.baristas(address) as barista:
        placed = await order(customer)
        assert (await brew(barista))["order_id"] == placed["order_id"]
    await front.log.line("request", app="worker", route="/finish", address=address)


async def test_no_barista_can_claim_to_be_another(
    front: Shop, balanced: Shop, address: str
) -> None:
    lie = {"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}
    async with balanced.baristas(address, headers=lie) as liar:
        await liar.get("/orders")
    await front.log.line("request", app="worker", route="/orders", address=address)
    assert not front.log.lines("request", address="192.0.2.9")


async def test_events_pass_as_they_happen(balanced: Shop, address: str) -> None:
    async with (
        balanced.baristas() as staff,
        balanced.customers(address) as customer,
        following(staff) as stream,
    ):
        placed = await order(customer)

        def is_shown() -> bool:
            return any(placed["order_id"] in str(one.data) for one in stream.messages)

        await stream.until(lambda _: is_shown())
        await brew(staff)


async def test_where_one_front_is_gone_each_request_is_answered_by_the_other(
    front: Shop, address: str, tmp_path: Path
) -> None:
    with open_shop(exit_code=KILLED) as other:
        await kill(other)
        # The balancer has not noticed yet: it finds out by each connection that it cannot make.
        with running_balancer([other, front], tmp_path) as balanced:
            for _ in range(8):
                async with balanced.customers(address) as customer, balanced.baristas() as barista:
                    placed = await order(customer)
                    assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_without_a_front_an_order_is_refused_with_a_problem_that_says_when_to_retry(
    address: str, tmp_path: Path
) -> None:
    with open_shop(exit_code=KILLED) as gone:
        await kill(gone)
        with running_balancer([gone, gone], tmp_path) as balanced:
            async with balanced.customers(address) as customer:
                refused = await customer.post("/order/")
    problem(refused, 503)
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["cache-control"] == "no-store"


async def test_a_customer_whose_front_is_killed_gets_a_problem_that_says_when_to_retry(
    address: str, tmp_path: Path
) -> None:
    with (
        open_shop(trusted_proxies="127.0.0.1", exit_code=KILLED) as doomed,
        running_balancer([doomed, doomed], tmp_path) as balanced,
    ):
        async with await park(balanced, address) as stream:
            await until(lambda: doomed.log.lines("order", action="place", address=address))
            await kill(doomed)
            answer = await Client(stream).read("POST")
    assert answer.status == 502
    assert answer.headers[b"retry-after"] == b"1"
    assert answer.headers[b"content-type"] == b"application/problem+json"


async def test_a_request_on_a_connection_that_was_left_open_is_answered(
    balanced: Shop, address: str
) -> None:
    async with balanced.customers(address) as customer, balanced.baristas() as barista:
        for _ in range(20):
            placed = await order(customer)
            assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_waiting_customers_outlive_a_front_that_answers_its_health_check_with_503(
    address: str, tmp_path: Path
) -> None:
    """A front that closes, or that has no house, keeps its customers and gets no new ones."""
    answers: list[httpx.Response] = []
    with (
        open_shop(trusted_proxies="127.0.0.1") as shop,
        running_balancer([shop, shop], tmp_path, {"HEAD /readyz": "HEAD /order/none"}) as balanced,
    ):

        async def wait_for_coffee() -> None:
            async with balanced.customers(address) as customer:
                answers.append(await customer.post("/order/"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_coffee)
            await until(lambda: shop.log.lines("order", action="place", address=address))
            await until(lambda: "is DOWN" in (tmp_path / "log").read_text("utf-8"))
            async with shop.baristas() as barista:
                await brew(barista)
    assert [one.status_code for one in answers] == [200]
