"""What a well-behaved client gets from a connection."""

from __future__ import annotations

import pytest
import trio

from tests.system.raw_client import GET, PARK, Client, ask, read_to_end
from tests.system.tiny_server import open_server
from tests.system.until import until

CHUNKED = b"POST /echo HTTP/1.1\r\nHost: cafe\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(body: bytes, head: bytes = b"") -> bytes:
    length = str(len(body)).encode()
    return (
        b"POST /echo HTTP/1.1\r\nHost: cafe\r\nContent-Length: %s\r\n%s\r\n" % (length, head) + body
    )


async def test_a_connection_serves_one_request_after_another() -> None:
    async with open_server() as server, await server.connect() as stream:
        client = Client(stream)
        for _ in range(3):
            assert (await client.ask(GET)).body == b"GET /"
        assert (await client.ask(post(b"milk"))).body == b"milk"
        assert server.admission.open == 1


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with open_server() as server, await server.connect() as stream:
        paths = [b"/%d" % n for n in range(50)]
        requests = [b"GET %s HTTP/1.1\r\nHost: cafe\r\n\r\n" % path for path in paths]
        await stream.send_all(post(b"first") + b"".join(requests))
        client = Client(stream)
        assert (await client.read("POST")).body == b"first"
        assert [(await client.read()).body for _ in paths] == [b"GET " + path for path in paths]


async def test_a_client_may_pipeline_more_than_is_read_ahead() -> None:
    async with open_server() as server, await server.connect() as stream:
        requests = GET.replace(b"Host", b"X: %s\r\nHost" % (b"x" * 8000)) * 40

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, PARK + requests)
            await until(lambda: server.app.parked == 1)
            server.app.released.set()
            client = Client(stream)
            assert (await client.read()).body == b"coffee"
            assert [(await client.read()).status for _ in range(40)] == [200] * 40


async def test_head_and_body_of_a_response_arrive_together() -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(GET)
        received = bytes(await stream.receive_some(65536))
        assert received.startswith(b"HTTP/1.1 200")
        assert received.endswith(b"\r\n\r\nGET /")


async def test_each_piece_of_a_streamed_response_is_sent_at_once() -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(b"GET /stream HTTP/1.1\r\nHost: cafe\r\n\r\n")
        received = b""
        while b"first" not in received:
            received += bytes(await stream.receive_some(65536))
        assert b"second" not in received
        server.app.released.set()
        while b"second" not in received:
            received += bytes(await stream.receive_some(65536))


@pytest.mark.parametrize(
    "last",
    [
        GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n\r\n",
        GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + GET,
    ],
    ids=["close", "HTTP/1.0", "stray line", "one more"],
)
async def test_a_last_request_is_answered_and_the_connection_closed(last: bytes) -> None:
    async with open_server() as server, await server.connect() as stream:
        assert (await ask(stream, last)).body == b"GET /"
        assert await read_to_end(stream) == b""


async def test_the_response_to_head_has_no_body() -> None:
    async with open_server() as server, await server.connect() as stream:
        answer = await ask(stream, GET.replace(b"GET", b"HEAD"), "HEAD")
        assert answer.headers[b"content-length"] == b"6"
        assert answer.body == b""


async def test_a_chunked_body_arrives_whole() -> None:
    async with open_server() as server, await server.connect() as stream:
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [b"milk", b"x" * 5000])
        answer = await ask(stream, CHUNKED + body + b"0\r\n\r\n", "POST")
        assert answer.body == b"milk" + b"x" * 5000


async def test_a_large_body_arrives_whole_where_a_route_allows_it() -> None:
    async with open_server() as server, await server.connect() as stream:
        body = bytes(range(256)) * 8192
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, post(body).replace(b"/echo", b"/large"))
            assert (await Client(stream).read("POST")).body == body


async def test_a_client_that_expects_100_continue_gets_it() -> None:
    async with open_server() as server, await server.connect() as stream:
        whole = post(b"milk", b"Expect: 100-continue\r\n")
        await stream.send_all(whole.removesuffix(b"milk"))
        assert bytes(await stream.receive_some(100)).startswith(b"HTTP/1.1 100")
        assert (await ask(stream, b"milk", "POST")).body == b"milk"


@pytest.mark.parametrize("size", [10, 60_000])
async def test_an_unread_body_does_not_affect_the_next_request(size: int) -> None:
    async with open_server() as server, await server.connect() as stream:
        client = Client(stream)
        unread = post(bytes(size)).replace(b"/echo", b"/")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, unread)
            assert (await client.read("POST")).body == b"POST /"
        assert (await client.ask(GET)).status == 200


async def test_after_an_unread_body_that_is_too_large_the_connection_is_closed() -> None:
    async with open_server() as server, await server.connect() as stream:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, post(bytes(3_000_000)).replace(b"/echo", b"/"))
            answer = await Client(stream).read("POST")
            assert answer.body == b"POST /"
            assert answer.headers[b"connection"] == b"close"
        assert await read_to_end(stream) == b""


async def test_a_client_that_hangs_up_while_it_waits_is_noticed() -> None:
    async with open_server() as server:
        async with await server.connect() as stream:
            await stream.send_all(PARK)
            await until(lambda: server.app.parked == 1)
        await until(lambda: server.app.hung_up == 1)
        await until(lambda: server.admission.open == 0)


@pytest.mark.parametrize(
    "raw",
    [PARK + GET, PARK.replace(b"Host", b"Upgrade: h2c\r\nConnection: upgrade\r\nHost")],
    ids=["pipelined", "upgrade"],
)
async def test_a_hang_up_is_noticed_also_behind_more_than_the_request(raw: bytes) -> None:
    async with open_server() as server:
        async with await server.connect() as stream:
            await stream.send_all(raw)
            await until(lambda: server.app.parked == 1)
        await until(lambda: server.app.hung_up == 1)
        await until(lambda: server.admission.open == 0)


async def test_a_half_close_looks_like_a_hang_up() -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(PARK)
        await until(lambda: server.app.parked == 1)
        await stream.send_eof()
        await until(lambda: server.app.hung_up == 1)


async def test_an_application_that_fails_is_answered_with_a_problem_without_details() -> None:
    async with open_server() as server, await server.connect() as stream:
        answer = await ask(stream, b"GET /fail HTTP/1.1\r\nHost: cafe\r\n\r\n")
        assert answer.status == 500
        assert answer.headers[b"content-type"] == b"application/problem+json"
        assert b"secret" not in answer.body
        assert await read_to_end(stream) == b""
        assert server.admission.isolated == 0
        assert await server.gets_served()


async def test_an_application_that_fails_in_its_response_cuts_it_off() -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(b"GET /fail-late HTTP/1.1\r\nHost: cafe\r\n\r\n")
        received = await read_to_end(stream)
        assert b"half" in received
        assert b"0\r\n\r\n" not in received
        assert b"secret" not in received
        assert await server.gets_served()


@pytest.mark.parametrize("length", [3, 7])
async def test_a_response_of_another_length_than_its_header_is_cut_off(length: int) -> None:
    async with open_server() as server, await server.connect() as stream:
        await stream.send_all(GET.replace(b"/ ", b"/promises-%d " % length))
        assert not (await read_to_end(stream)).endswith(b"latte")
        assert server.admission.isolated == 0
        assert await server.gets_served()


async def test_an_ipv6_address_serves() -> None:
    async with open_server(bind="[::1]:0") as server:
        assert server.urls[0].startswith("http://[::1]:")
        assert await server.gets_served()


async def test_every_address_serves() -> None:
    async with open_server(bind=["127.0.0.1:0", "[::1]:0"]) as server:
        assert len(server.urls) == 2
        for url in server.urls:
            async with await server.connect(url=url) as stream:
                assert (await ask(stream, GET)).status == 200
