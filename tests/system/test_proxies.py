"""The proxies of the documents in front of a real shop, as a customer behind one sees it.

Customers come from loopback addresses of their own, so the proxy has to tell the shop who they are.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trio

from tests.cafe.ledger.postgres import missing
from tests.system.api import LATER, brew, order, park, problem, start
from tests.system.proxies import PROXIES, program, running_proxy
from tests.system.shop import Shop, open_shop
from tests.system.until import until, until_asked

pytestmark = pytest.mark.once

LIMIT = 20


@pytest.fixture(scope="module")
def direct() -> Generator[Shop]:
    """Yield a shop that trusts the proxy, with low limits."""
    with open_shop(
        trusted_proxies="127.0.0.1", limit_requests=LIMIT, limit_window_seconds=60, ban_after=30
    ) as shop:
        yield shop


@pytest.fixture(scope="module", params=PROXIES)
def proxied(
    request: pytest.FixtureRequest, direct: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Shop]:
    """Yield the shop as it is reached through a proxy."""
    if program(request.param) is None:
        pytest.skip(missing(f"no {request.param} here (on Debian: apt install {request.param})"))
    folder: Path = tmp_path_factory.mktemp(request.param)
    with running_proxy(request.param, direct, folder) as shop:
        yield shop


@pytest.fixture(scope="module")
def with_room() -> Generator[Shop]:
    """Yield a shop with the default limits, since health checks by OPTIONS are counted."""
    with open_shop(trusted_proxies="127.0.0.1") as shop:
        yield shop


async def test_a_customer_waits_behind_the_proxy_until_the_coffee_is_ready(
    proxied: Shop, address: str
) -> None:
    answers: list[httpx.Response] = []

    async def wait_for_coffee() -> None:
        async with proxied.customers(address) as customer:
            answers.append(await customer.post("/order/"))

    async with proxied.baristas() as barista, trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_coffee)
        await start_and_finish(barista)
    assert [one.status_code for one in answers] == [200]
    await proxied.log.line("order", action="hand over", address=address)


async def start_and_finish(barista: httpx.AsyncClient) -> None:
    claim = await start(barista, wait=20)
    finished = await barista.post("/finish/", json={"order_id": claim["order_id"]})
    assert finished.json()["collected"] is True


async def test_an_order_whose_customer_hangs_up_behind_the_proxy_is_not_brewed(
    proxied: Shop, address: str
) -> None:
    async with await park(proxied, address):
        await until(lambda: proxied.log.lines("order", action="place", address=address))
    await proxied.log.line("order", action="abandon", address=address)
    async with proxied.baristas() as barista:
        assert (await barista.get("/start/")).status_code == 204


async def test_an_order_that_is_kept_outlives_its_connection_to_the_proxy(
    proxied: Shop, address: str
) -> None:
    async with proxied.customers(address) as customer:
        placed = await order(customer)
    async with proxied.baristas() as barista, proxied.customers(address) as customer:
        assert (await brew(barista))["order_id"] == placed["order_id"]
        looked = await customer.get(f"/order/{placed['order_id']}")
        assert looked.json()["status"] == "ready"


async def test_each_customer_behind_the_proxy_has_limits_of_their_own(
    proxied: Shop, address: str
) -> None:
    async with proxied.customers(address) as greedy, proxied.customers("127.9.9.9") as regular:
        statuses = [(await greedy.get("/queue")).status_code for _ in range(LIMIT + 5)]
        assert statuses == [200] * LIMIT + [429] * 5
        assert (await regular.get("/queue")).status_code == 200


async def test_no_client_behind_the_proxy_can_claim_to_be_another(
    proxied: Shop, address: str
) -> None:
    lie = {"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.7"}
    async with proxied.customers(address, headers=lie) as liar:
        await liar.get("/queue")
    await proxied.log.line("request", route="/queue", address=address)
    assert not proxied.log.lines("request", address="192.0.2.7")


async def test_a_banned_client_behind_the_proxy_gets_429_and_others_are_served(
    proxied: Shop, address: str
) -> None:
    async with proxied.customers(address) as flood, proxied.customers("127.9.9.8") as regular:
        for _ in range(LIMIT + 40):
            await flood.get("/queue")
        banned = await flood.get("/queue")
        assert (banned.status_code, banned.json()["limit"]) == (429, "banned")
        kept = await regular.post("/order/", headers=LATER)
        assert kept.status_code == 202
        assert (await regular.delete(f"/order/{kept.json()['order_id']}")).status_code == 200


@pytest.fixture(scope="module")
def narrow() -> Generator[Shop]:
    """Yield a shop with a tenth of the default limits."""
    with open_shop(
        trusted_proxies="127.0.0.1", limit_requests=60, limit_waiting=40, ban_after=40
    ) as shop:
        yield shop


@pytest.mark.parametrize("name", PROXIES)
async def test_a_flood_of_orders_through_the_proxy_earns_a_ban_and_leaves_none_to_be_brewed(
    name: str, narrow: Shop, address: str, tmp_path: Path
) -> None:
    """The default limits and 1,600 orders, a tenth of each: the proxy lets the shop count."""
    if program(name) is None:
        pytest.skip(missing(f"no {name} here (on Debian: apt install {name})"))
    cap = "limit_conn connections 1200" if name == "nginx" else "sc0_conn_cur gt 1200"
    with running_proxy(name, narrow, tmp_path, {cap: cap[:-1]}) as proxied:
        statuses: set[int] = set()

        async def order_once(customer: httpx.AsyncClient) -> None:
            with suppress(httpx.TransportError):  # HAProxy resets connections above the cap
                statuses.add((await customer.post("/order/")).status_code)

        async with proxied.customers(address) as flood, trio.open_nursery() as nursery:
            for _ in range(160):
                nursery.start_soon(order_once, flood)
        banned = await narrow.log.line("banned", address=address)
        assert banned["orders"] > 0
        assert await narrow.orders() == []
        assert 429 in statuses <= {409, 429}  # 409: its order was cancelled by the ban


async def test_nginx_refuses_too_many_connections_with_a_problem_that_says_when_to_retry(
    with_room: Shop, address: str, tmp_path: Path
) -> None:
    if program("nginx") is None:
        pytest.skip(missing("no nginx here (on Debian: apt install nginx)"))
    few = {"limit_conn connections 1200": "limit_conn connections 1"}
    with running_proxy("nginx", with_room, tmp_path, few) as proxied:
        async with await park(proxied, address), proxied.customers(address) as customer:
            await until(lambda: with_room.log.lines("order", action="place", address=address))
            refused = await customer.get("/queue")
            assert problem(refused, 429)["limit"] == "connections"
            assert refused.headers["retry-after"] == "5"
        await with_room.log.line("order", action="abandon", address=address)


async def test_only_the_proxy_reaches_the_health_routes(proxied: Shop, address: str) -> None:
    async with proxied.customers(address) as stranger:
        for path in ("/livez", "/readyz", "/api/v1/client/readyz", "/readyz/", "/%72eadyz"):
            assert (await stranger.get(path)).status_code == 404


@pytest.mark.parametrize("check", ["", " HEAD /readyz", " GET /readyz/", " OPTIONS * HTTP/1.0"])
async def test_every_usual_health_check_of_haproxy_leaves_the_shop_in_service(
    with_room: Shop, address: str, check: str, tmp_path: Path
) -> None:
    if program("haproxy") is None:
        pytest.skip(missing("no haproxy here (on Debian: apt install haproxy)"))
    changes = {"option httpchk HEAD /readyz": f"option httpchk{check}", "inter 2s": "inter 50ms"}
    with running_proxy("haproxy", with_room, tmp_path, changes) as proxied:
        before = await answered(with_room)
        # Three failed checks would take the shop out of service.

        async def have_been_enough() -> bool:
            return await answered(with_room) >= before + 10

        await until_asked(have_been_enough)
        async with proxied.customers(address) as customer:
            assert (await customer.get("/queue")).status_code == 200


async def answered(shop: Shop) -> int:
    """Return how many requests the customers' app has answered; the log has no health checks."""
    async with shop.baristas() as barista:
        text = (await barista.get("/metrics")).text
    found = re.findall(r'^cafe_requests_total{app="client".*} (\S+)$', text, re.MULTILINE)
    return sum(map(int, map(float, found)))
