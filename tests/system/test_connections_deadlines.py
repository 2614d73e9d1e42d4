"""No client can keep a connection waiting, nor keep the server from stopping."""

from __future__ import annotations

import trio

from tests.system.raw_client import GET, PARK, Client, ask, read_to_end
from tests.system.tiny_server import TinyServer, open_server
from tests.system.until import until

POST = b"POST /echo HTTP/1.1\r\nHost: cafe\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: cafe\r\nTransfer-Encoding: chunked\r\n\r\n"


async def trickle(stream: trio.SocketStream, piece: bytes) -> None:
    """Send `piece` again and again, until the other side has had enough."""
    try:
        while True:
            await stream.send_all(piece)
            await trio.sleep(0.01)
    except trio.BrokenResourceError:
        pass


async def test_a_client_that_sends_nothing_is_closed() -> None:
    async with open_server(head_timeout=0.1) as server, await server.connect() as stream:
        assert await read_to_end(stream) == b""
        await until(lambda: server.admission.open == 0)


async def test_an_idle_connection_is_closed_after_its_own_time() -> None:
    async with open_server(keep_alive_timeout=0.1) as server, await server.connect() as stream:
        assert (await ask(stream, GET)).status == 200
        assert await read_to_end(stream) == b""
        await until(lambda: server.admission.open == 0)


async def test_a_slow_head_is_cut_off_with_408() -> None:
    async with open_server(head_timeout=0.2) as server, await server.connect() as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: cafe\r\n")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trickle, stream, b"X: x\r\n")
            received = await read_to_end(stream)
        assert received.startswith(b"HTTP/1.1 408")
        assert b"application/problem+json" in received
        assert await server.gets_served()


async def test_the_head_of_a_later_request_has_as_long_as_the_first() -> None:
    async with open_server(head_timeout=0.2) as server, await server.connect() as stream:
        assert (await ask(stream, GET)).status == 200
        await stream.send_all(b"GET / HT")
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 408")


async def test_a_parked_request_has_no_deadline() -> None:
    async with (
        open_server(head_timeout=0.3, keep_alive_timeout=0.3, send_timeout=0.3) as server,
        await server.connect() as stream,
    ):
        await stream.send_all(PARK)
        with trio.move_on_after(0.5):
            await stream.receive_some(1)
            raise AssertionError("cut off while waiting for coffee")
        server.app.released.set()
        assert (await Client(stream).read()).body == b"coffee"


async def test_a_slow_body_is_cut_off_with_408() -> None:
    async with (
        open_server(body_timeout=0.1, linger_timeout=0.2) as server,
        await server.connect() as stream,
    ):
        async with trio.open_nursery() as nursery:
            await stream.send_all(POST % 1000)
            nursery.start_soon(trickle, stream, b"x")
            received = await read_to_end(stream)
        assert received.startswith(b"HTTP/1.1 408")
        assert b"application/problem+json" in received
        assert await server.gets_served()


async def test_a_body_that_is_too_large_gets_413_though_its_client_goes_on_sending() -> None:
    async with open_server() as server:
        for head in (POST % 10_000_000, CHUNKED + b"989680\r\n"):
            async with await server.connect() as stream, trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, head + bytes(3_000_000))
                received = await Client(stream).read("POST")
                assert received.status == 413
                assert received.headers[b"connection"] == b"close"
                assert received.headers[b"content-type"] == b"application/problem+json"
        assert await server.gets_served()


async def test_a_body_within_the_limit_arrives_and_its_client_may_hang_up() -> None:
    async with open_server() as server:
        async with await server.connect() as stream:
            client = Client(stream)
            assert (await client.ask(POST % 5 + b"latte", "POST")).body == b"latte"
            await stream.send_all((POST % 1).replace(b"/echo", b"/park") + b"x")
            await until(lambda: server.app.parked == 1)
        await until(lambda: server.app.hung_up == 1)


async def ask_and_never_read(server: TinyServer) -> trio.SocketStream:
    """Ask for more than any buffer holds, and leave it there."""
    stream = await server.connect()
    await stream.send_all(GET.replace(b"/ ", b"/endless "))
    await until(lambda: server.admission.open > 0)
    return stream


async def test_a_client_that_never_reads_is_cut_off() -> None:
    async with open_server(send_timeout=0.2) as server:
        async with await ask_and_never_read(server):
            await until(lambda: server.admission.open == 0)
        assert await server.gets_served()


async def test_a_client_that_reads_slowly_is_served() -> None:
    async with open_server(send_timeout=0.6) as server, await ask_and_never_read(server) as stream:
        for _ in range(25):
            await stream.receive_some(2**18)
            await trio.sleep(0.03)
        assert server.admission.open == 1


async def seconds_to_stop(server: TinyServer) -> float:
    began = trio.current_time()
    server.stop()
    await until(lambda: server.admission.open == 0)
    return trio.current_time() - began


async def test_stopping_does_not_wait_for_idle_connections() -> None:
    async with (
        open_server(graceful_timeout=5.0) as server,
        await server.connect() as silent,
        await server.connect() as idle,
    ):
        await ask(idle, GET)
        await silent.send_all(b"GET / HT")
        await until(lambda: server.admission.open == 2)
        assert await seconds_to_stop(server) < 2.0
        assert await read_to_end(idle) == b""


async def test_stopping_lets_an_answer_finish_and_closes_then() -> None:
    async with open_server(graceful_timeout=5.0) as server, await server.connect() as stream:
        await stream.send_all(PARK)
        await until(lambda: server.app.parked == 1)
        server.stop()
        await refused(server)
        server.app.released.set()
        answer = await Client(stream).read()
        assert answer.body == b"coffee"
        assert answer.headers[b"connection"] == b"close"
        assert await read_to_end(stream) == b""


async def refused(server: TinyServer) -> None:
    """Wait until nobody listens any more."""
    with trio.fail_after(2):
        while True:
            try:
                async with await server.connect():
                    await trio.sleep(0.002)
            except OSError:
                return


async def test_stopping_cuts_off_what_takes_too_long() -> None:
    async with open_server(graceful_timeout=0.1) as server, await server.connect() as stream:
        await stream.send_all(PARK)
        await until(lambda: server.app.parked == 1)
        assert await seconds_to_stop(server) < 2.0
        assert await read_to_end(stream) == b""


async def test_stopping_does_not_wait_for_a_client_that_never_reads() -> None:
    async with open_server(graceful_timeout=0.1) as server, await ask_and_never_read(server):
        assert await seconds_to_stop(server) < 2.0
