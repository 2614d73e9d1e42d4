"""Web pages at the baristas' port, over real connections: no page of another site gets an order."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.system.api import look, order, problem
from tests.system.raw_client import Client
from tests.system.shop import Shop, open_shop

TOKEN = "open-sesame-4711"
NAME = "kasse.example"


@pytest.fixture(scope="module")
def plain() -> Generator[Shop]:
    """Yield a shop without a token that has a name."""
    with open_shop(worker_hosts=f"other.example, {NAME}") as shop:
        yield shop


@pytest.fixture(scope="module")
def guarded() -> Generator[Shop]:
    """Yield a shop whose baristas need a token."""
    with open_shop(worker_hosts="", worker_token=TOKEN) as shop:
        yield shop


SAME, CROSS = "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"
NULL, ELSEWHERE = "Origin: null", "Origin: https://evil.example"

# What a request says of itself, for each with {} for the port; then its status without a token, and
# with the right one.
TABLE: list[tuple[tuple[str, ...], int, int]] = [
    (("Host: 127.0.0.1:{}",), 204, 204),
    (("Host: localhost:{}",), 204, 204),
    (("Host: cafe.localhost",), 204, 204),
    ((f"Host: {NAME}:{{}}",), 204, 204),
    (("Host: 127.0.0.1:{}", "Sec-Fetch-Site: none"), 204, 204),
    (("Host: 127.0.0.1:{}", SAME, "Origin: http://127.0.0.1:{}"), 204, 204),
    ((f"Host: {NAME}", f"Origin: https://{NAME}"), 204, 204),
    (("Host: 127.0.0.1:{}", CROSS), 403, 403),
    (("Host: 127.0.0.1:{}", "Sec-Fetch-Site: same-site"), 403, 403),
    (("Host: 127.0.0.1:{}", ELSEWHERE), 403, 403),
    (("Host: 127.0.0.1:{}", NULL), 403, 403),
    (("Host: 127.0.0.1:{}", "Origin: http://127.0.0.1:8080"), 403, 403),
    (("Host: evil.example:{}",), 403, 204),
    (("Host: evil.example:{}", SAME), 403, 204),
    (("Host: 0.0.0.0:{}",), 403, 204),
    (("Host: ",), 403, 204),
    ((f"Host: {NAME}.evil.example",), 403, 204),
]


async def statuses(shop: Shop, path: str, lines: tuple[str, ...], *more: str) -> list[int]:
    """Return the statuses of a GET and a POST with these header lines, over one connection."""
    port = shop.worker.rpartition(":")[2]
    fields = "".join(f"{line}\r\n" for line in (*lines, *more)).replace("{}", port)
    async with await shop.connect(url=shop.worker) as stream:
        client = Client(stream)
        asked = [(method, f"{method} {path} HTTP/1.1\r\n{fields}") for method in ("GET", "POST")]
        return [
            (await client.ask(f"{head}Content-Length: 0\r\n\r\n".encode(), method)).status
            for method, head in asked
        ]


@pytest.mark.parametrize("prefix", ["", "/api/v1/worker"])
@pytest.mark.parametrize(("lines", "status", "_"), TABLE)
async def test_requests_that_pass_without_a_token(
    plain: Shop, lines: tuple[str, ...], status: int, _: int, prefix: str
) -> None:
    assert await statuses(plain, f"{prefix}/start/", lines) == [status, status]
    assert (await statuses(plain, f"{prefix}/livez", lines))[0] == 200
    assert (await statuses(plain, f"{prefix}/readyz", lines))[0] == 200


@pytest.mark.parametrize(("lines", "_", "status"), TABLE)
async def test_requests_that_pass_with_a_token(
    guarded: Shop, lines: tuple[str, ...], _: int, status: int
) -> None:
    bearer = f"Authorization: Bearer {TOKEN}"
    assert await statuses(guarded, "/start/", lines, bearer) == [status, status]
    without = 401 if status == 204 else 403
    assert await statuses(guarded, "/start/", lines) == [without, without]
    assert (await statuses(guarded, "/livez", lines))[0] == 200


async def test_a_page_gets_no_order_and_ends_none(plain: Shop, address: str) -> None:
    async with plain.customers(address) as customer, plain.baristas() as barista:
        placed = await order(customer)
        for headers in (
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
            {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"},
            {"Host": "evil.example"},
        ):
            for path in ("/start/", "/start/?wait=1", "/orders", "/metrics", "/actors", "/docs"):
                problem(await barista.get(path, headers=headers), 403)
            for deed in ("start", "finish", "release"):
                url = f"/{deed}/?order_id={placed['order_id']}"
                problem(await barista.post(url, headers=headers), 403)
            preflight = await barista.request("OPTIONS", "/finish/", headers=headers)
            assert not [name for name in preflight.headers if name.startswith("access-control")]
            problem(preflight, 403)
        assert (await look(customer, placed["order_id"]))["status"] == "waiting"
        assert (await barista.get("/start/")).json()["order_id"] == placed["order_id"]
        page = {"Origin": plain.worker, "Sec-Fetch-Site": "same-origin"}
        assert (await barista.post(f"/finish/{placed['order_id']}", headers=page)).is_success


async def test_the_customers_port_is_open_to_pages(plain: Shop, address: str) -> None:
    async with plain.customers(address) as customer:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "cafe.example"}):
            assert (await customer.get("/queue", headers=headers)).status_code == 200
