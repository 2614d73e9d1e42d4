"""A shop that fails to start (tests/cafe/cli/test_serve.py has more), and one that stops."""

from __future__ import annotations

import re
import signal
import socket
from contextlib import AsyncExitStack

import httpx
import pytest
import trio

from tests.cafe.ledger.postgres import PostgresServer
from tests.system.api import ORDER, crowd, finish, order, park, problem, read_all, start
from tests.system.raw_client import Client, read_to_end, request
from tests.system.shop import Shop, open_shop, serve_until_exit
from tests.system.until import until_asked


async def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = await serve_until_exit("--worker-bind", address, database_url="sqlite://")
    assert ended.stderr.decode() == f"cafe: Cannot listen on {address}: Address already in use.\n"
    assert (ended.returncode, ended.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("login", "database", "message"),
    [
        ("guarded:wr0ng-word", "postgres", 'password authentication failed for user "guarded"'),
        ("guarded", "postgres", "no password supplied"),
        ("nobody:wr0ng-word", "postgres", 'role "nobody" does not exist'),
        ("cafe", "nowhere", 'database "nowhere" does not exist'),
    ],
)
async def test_a_login_that_postgresql_refuses_is_one_line_that_says_what_to_check(
    postgresql_server: PostgresServer, login: str, database: str, message: str
) -> None:
    url = postgresql_server.url(database, login)
    ended = await serve_until_exit(database_url=url)
    assert (ended.returncode, ended.stdout) == (2, b"")
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith("cafe: The database refuses the login: ")
    assert message in line
    assert line.endswith(" Check the user, the password and the database's name in its URL.")
    assert "wr0ng" not in line


CLOSING = 4.0
OFFICE = "127.0.0.5"


def as_response(status: int, headers: dict[bytes, bytes], body: bytes) -> httpx.Response:
    """Return an answer of the raw client as the response that `problem` takes."""
    return httpx.Response(status, headers=list(headers.items()), content=body)


async def ask_and_never_read(shop: Shop) -> trio.SocketStream:
    """Request far more than any buffer holds, and never read it."""
    async with shop.baristas() as visitor:
        script = re.search(r'"(/static[^"]+\.js)"', (await visitor.get("/docs")).text)
    assert script is not None
    stream = await shop.connect(url=shop.worker)
    await stream.send_all(f"GET {script[1]} HTTP/1.1\r\nHost: cafe\r\n\r\n".encode() * 30)
    return stream


async def test_on_sigterm_all_who_wait_are_refused_and_no_order_is_accepted() -> None:
    with open_shop(closing_seconds=CLOSING) as shop:
        async with (
            crowd(shop, [OFFICE] * 200) as customers,
            shop.baristas() as barista,
            shop.customers("127.0.0.6") as late,
        ):
            await shop.has_waiting(200)
            placed = await order(late)
            began = trio.current_time()
            shop.process.send_signal(signal.SIGTERM)
            await shop.log.line("closing", customers_answered=200)
            for client in (late, barista):
                answer = await client.get("/readyz")
                assert int(answer.headers["retry-after"]) >= 1
                problem(answer, 503)
                assert (await client.get("/livez")).status_code == 200
            refused = await late.post("/order/")
            assert problem(refused, 503)["reason"] == "closing"
            assert refused.headers["retry-after"] == "4"
            assert (await late.get("/queue")).json()["accepting"] is False
            assert (await late.get(f"/order/{placed['order_id']}")).status_code == 200
            answers = await read_all(customers)
            for one in answers:
                body = problem(as_response(one.status, one.headers, one.body), 503)
                assert body["reason"] == "closing"
                assert one.headers[b"retry-after"] == b"4"
            assert len(answers) == 200
        await ends_in_time(shop, began)


async def ends_in_time(shop: Shop, began: float) -> None:
    assert await shop.ended() == 0
    assert trio.current_time() - began < CLOSING


async def test_open_connections_do_not_delay_the_exit_and_a_claimed_order_can_be_finished() -> None:
    with open_shop(closing_seconds=CLOSING) as shop:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(await park(shop, OFFICE))  # and never read
            await shop.has_waiting(3)
            customer = await stack.enter_async_context(shop.customers(OFFICE))
            barista = await stack.enter_async_context(shop.baristas())
            placed = await order(customer)
            for _ in range(4):
                await start(barista)
            waiting = await stack.enter_async_context(await shop.connect(url=shop.worker))
            await waiting.send_all(request("GET", "/start/?wait=60"))
            await until_asked(lambda: has_baristas(shop, 5))
            for _ in range(3):
                await stack.enter_async_context(await ask_and_never_read(shop))
            idle = await stack.enter_async_context(await shop.connect())
            half = await stack.enter_async_context(await shop.connect())
            await half.send_all(b"POST /order/ HTTP/1.1\r\nContent-Le")
            began = trio.current_time()
            shop.process.send_signal(signal.SIGINT)
            answer = await Client(waiting).read()
            closed = problem(as_response(answer.status, answer.headers, answer.body), 503)
            assert closed["reason"] == "closing"
            assert (await finish(barista, placed["order_id"]))["collected"] is True
            await ends_in_time(shop, began)
            assert await read_to_end(idle) == b""


async def test_after_sigterm_no_order_is_claimed_and_all_who_wait_are_answered() -> None:
    with open_shop(closing_seconds=CLOSING) as shop:
        async with AsyncExitStack() as stack:
            customer = await stack.enter_async_context(shop.customers(OFFICE))
            barista = await stack.enter_async_context(shop.baristas())
            brewed = await order(customer)
            claim = await start(barista)
            assert claim["order_id"] == brewed["order_id"]
            kept = await order(customer)
            looked = request("GET", f"/order/{kept['order_id']}", "Prefer: wait=60")
            keyed = request("POST", "/order/", "Idempotency-Key: k")
            waiting = [
                await stack.enter_async_context(await park(shop, OFFICE, raw))
                for raw in (ORDER, keyed, keyed, looked)
            ]
            await shop.has_waiting(3)
            shop.process.send_signal(signal.SIGTERM)
            await shop.log.line("closing")
            refused = await barista.get("/start/")
            assert problem(refused, 503)["reason"] == "closing"
            assert int(refused.headers["retry-after"]) >= 1
            answers = [await Client(stream).read() for stream in waiting]
            assert [one.status for one in answers] == [503, 503, 503, 200]
            assert b'"status":"waiting"' in answers[3].body
            assert (await finish(barista, brewed["order_id"]))["collected"] is True
            listed = (await barista.get("/orders")).json()["orders"]
            # The customer without a key got a 503, so that order is cancelled; the others stay.
            assert len(listed) == 2
        assert await shop.ended() == 0


async def has_baristas(shop: Shop, baristas: int) -> bool:
    return await shop.metric("cafe_baristas") == baristas
