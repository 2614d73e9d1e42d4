"""The end of a day: everybody who waits is told, and the process ends in time, whoever dawdles."""

from __future__ import annotations

import re
import signal
from contextlib import AsyncExitStack

import httpx
import trio

from tests.system.api import ORDER, crowd, finish, order, park, problem, read_all, start
from tests.system.raw_client import Client, read_to_end
from tests.system.shop import Shop, open_shop, until_asked

CLOSING = 4.0
OFFICE = "127.0.0.5"


def as_response(status: int, headers: dict[bytes, bytes], body: bytes) -> httpx.Response:
    """Give a bare answer the shape in which `problem` looks at it."""
    return httpx.Response(status, headers=list(headers.items()), content=body)


async def ask_and_never_read(shop: Shop) -> trio.SocketStream:
    """Ask for far more than any buffer holds, and leave it there."""
    async with shop.baristas() as visitor:
        script = re.search(r'"(/static[^"]+\.js)"', (await visitor.get("/docs")).text)
    assert script is not None
    stream = await shop.connect(url=shop.worker)
    await stream.send_all(f"GET {script[1]} HTTP/1.1\r\nHost: cafe\r\n\r\n".encode() * 30)
    return stream


async def test_closing_tells_everybody_and_takes_no_more_orders() -> None:
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


async def test_nobody_keeps_it_from_closing_and_who_brews_may_finish() -> None:
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
            await waiting.send_all(b"GET /start/?wait=60 HTTP/1.1\r\nHost: cafe\r\n\r\n")
            await until_asked(lambda: are_at_work(shop, 5))
            for _ in range(3):
                await stack.enter_async_context(await ask_and_never_read(shop))
            idle = await stack.enter_async_context(await shop.connect())
            half = await stack.enter_async_context(await shop.connect())
            await half.send_all(b"POST /order/ HTTP/1.1\r\nContent-Le")
            began = trio.current_time()
            shop.process.send_signal(signal.SIGINT)
            told = await Client(waiting).read()
            closed = problem(as_response(told.status, told.headers, told.body), 503)
            assert closed["reason"] == "closing"
            assert (await finish(barista, placed["order_id"]))["collected"] is True
            await ends_in_time(shop, began)
            assert await read_to_end(idle) == b""


async def test_after_sigterm_no_claim_is_given_out_and_everybody_who_waits_is_answered() -> None:
    with open_shop(closing_seconds=CLOSING) as shop:
        async with AsyncExitStack() as stack:
            customer = await stack.enter_async_context(shop.customers(OFFICE))
            barista = await stack.enter_async_context(shop.baristas())
            brewed = await order(customer)
            claim = await start(barista)
            assert claim["order_id"] == brewed["order_id"]
            kept = await order(customer)
            look = (
                f"GET /order/{kept['order_id']} HTTP/1.1\r\nHost: cafe\r\nPrefer: wait=60\r\n\r\n"
            )
            keyed = b"POST /order/ HTTP/1.1\r\nHost: cafe\r\nIdempotency-Key: k\r\n\r\n"
            waiting = [
                await stack.enter_async_context(await park(shop, OFFICE, request))
                for request in (ORDER, keyed, keyed, look.encode())
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
            # The plain customer was told 503, so nobody collects that order; the others stay.
            assert len(listed) == 2
        assert await shop.ended() == 0


async def are_at_work(shop: Shop, baristas: int) -> bool:
    return await shop.metric("cafe_baristas") == baristas


async def test_a_second_signal_ends_it_at_once() -> None:
    with open_shop(closing_seconds=60, exit_code=-signal.SIGTERM) as shop:
        shop.process.send_signal(signal.SIGTERM)
        await shop.log.line("closing")
        shop.process.send_signal(signal.SIGTERM)
        assert await shop.ended() == -signal.SIGTERM
