"""Who may use the baristas' port: tokens, and web pages of other sites."""

from __future__ import annotations

import pytest

from tests.system.api import look, order, problem
from tests.system.raw_client import Client
from tests.system.shop import TOKEN, Shop

pytestmark = pytest.mark.once

NAME = "cafe"
"""The host name that SETTINGS lists for the shared shop."""

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
    shop: Shop, lines: tuple[str, ...], status: int, _: int, prefix: str
) -> None:
    assert await statuses(shop, f"{prefix}/start/", lines) == [status, status]
    assert (await statuses(shop, f"{prefix}/livez", lines))[0] == 200
    assert (await statuses(shop, f"{prefix}/readyz", lines))[0] == 200


@pytest.mark.parametrize(("lines", "_", "status"), TABLE)
async def test_requests_that_pass_with_a_token(
    guarded: Shop, lines: tuple[str, ...], _: int, status: int
) -> None:
    bearer = f"Authorization: Bearer {TOKEN}"
    assert await statuses(guarded, "/start/", lines, bearer) == [status, status]
    without = 401 if status == 204 else 403
    assert await statuses(guarded, "/start/", lines) == [without, without]
    assert (await statuses(guarded, "/livez", lines))[0] == 200


async def test_a_page_gets_no_order_and_ends_none(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
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
        page = {"Origin": shop.worker, "Sec-Fetch-Site": "same-origin"}
        assert (await barista.post(f"/finish/{placed['order_id']}", headers=page)).is_success


async def test_the_customers_port_is_open_to_pages(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "cafe.example"}):
            assert (await customer.get("/queue", headers=headers)).status_code == 200


ROUTES = ("/start/", "/orders", "/actors", "/metrics", "/docs/x", "/no/such/path")
PUBLIC = ("/livez", "/readyz", "/api/v1/worker/livez", "/", "/docs", "/openapi.json", "/menu")


@pytest.mark.parametrize("prefix", ["", "/api/v1/worker"])
@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer caf\u00e9"],
)
async def test_without_the_token_every_route_that_is_not_public_is_a_401(
    guarded: Shop, given: str | None, prefix: str
) -> None:
    headers = [] if given is None else [(b"Authorization", given.encode())]
    async with guarded.baristas() as barista:
        for path in ROUTES:
            response = await barista.get(f"{prefix}{path}", headers=headers)
            problem(response, 401)
            assert response.headers["www-authenticate"] == 'Bearer realm="cafe"'
        for path in ("/finish/", "/release/some-id"):
            problem(await barista.post(f"{prefix}{path}", headers=headers), 401)


async def test_the_token_opens_and_what_is_public_needs_none(guarded: Shop) -> None:
    async with guarded.baristas() as barista, guarded.customers() as customer:
        for path in PUBLIC:
            assert (await barista.get(path)).status_code == 200
        for scheme in ("Bearer", "bearer", "BEARER"):
            headers = {"Authorization": f"{scheme} {TOKEN}"}
            assert (await barista.get("/orders", headers=headers)).status_code == 200
        assert (await customer.get("/queue")).status_code == 200
