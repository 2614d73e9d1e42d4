"""TLS through the same connection: served, closed, cut off and attacked like a plain one."""

from __future__ import annotations

import ssl

import pytest
import trio
import trustme

from tests.system.raw_client import GET, PARK, Client, ask, read_to_end
from tests.system.tiny_server import Certificate, open_server
from tests.system.until import until


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL
    return context


async def test_tls_serves_and_speaks_http1_to_a_client_that_offers_http2(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with open_server(**certificate) as server:
        assert server.urls[0].startswith("https://")
        async with await server.connect_tls(context) as stream:
            assert stream.selected_alpn_protocol() == "http/1.1"
            client = Client(stream)
            assert (await client.ask(GET)).body == b"GET /"
            assert (await client.ask(GET)).body == b"GET /"


async def test_tls_sends_close_notify_when_it_closes(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    async with open_server(**certificate, linger_timeout=60.0) as server:
        plain = await server.connect()
        strict = trio.SSLStream(plain, context, server_hostname="localhost")
        async with strict:
            await strict.send_all(b"GET / HTTP/1.0\r\n\r\n")
            received = b""
            while data := await strict.receive_some():  # raises for an end without a goodbye
                received += data
            assert received.endswith(b"GET /")


async def test_a_plain_address_beside_tls_serves(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    async with open_server(**certificate, insecure_bind=["127.0.0.1:0"]) as server:
        secure, plain = server.urls
        assert plain.startswith("http://")
        async with await server.connect(url=plain) as stream:
            assert (await ask(stream, GET)).status == 200
        async with await server.connect_tls(context, url=secure) as stream:
            assert (await ask(stream, GET)).status == 200


async def test_a_hang_up_is_noticed_through_tls(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    async with open_server(**certificate) as server:
        async with await server.connect_tls(context) as stream:
            await stream.send_all(PARK)
            await until(lambda: server.app.parked == 1)
        await until(lambda: server.app.hung_up == 1)


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""How a handshake begins, and here also how it stays."""


@pytest.mark.parametrize("raw", [GET, b"\x00" * 100, HELLO, b""])
async def test_a_client_that_does_not_shake_hands_is_closed(
    certificate: Certificate, context: ssl.SSLContext, raw: bytes
) -> None:
    async with open_server(**certificate, ssl_handshake_timeout=0.3) as server:
        async with await server.connect() as stream:
            await stream.send_all(raw)
            assert b"HTTP" not in await read_to_end(stream)
        await until(lambda: server.admission.open == 0)
        assert server.admission.isolated == 0
        async with await server.connect_tls(context) as stream:
            assert (await ask(stream, GET)).status == 200


async def test_a_handshake_does_not_keep_the_server_from_stopping(
    certificate: Certificate,
) -> None:
    async with (
        open_server(**certificate, graceful_timeout=5.0) as server,
        await server.connect() as stream,
    ):
        await stream.send_all(HELLO)
        await until(lambda: server.admission.open == 1)
        server.stop()
        await read_to_end(stream)
        await until(lambda: server.admission.open == 0)


@pytest.mark.parametrize("raw", [HELLO, b""])
async def test_a_ban_ends_a_handshake(certificate: Certificate, raw: bytes) -> None:
    async with open_server(**certificate) as server, await server.connect("127.0.0.66") as stream:
        await stream.send_all(raw)
        await until(lambda: server.admission.open == 1)
        server.admission.ban("127.0.0.66", until=trio.current_time() + 60)
        await read_to_end(stream)
        await until(lambda: server.admission.open == 0)
        assert server.admission.isolated == 0


async def test_a_ban_ends_a_parked_request_under_tls(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    async with open_server(**certificate) as server, await server.connect_tls(context) as stream:
        await stream.send_all(PARK)
        await until(lambda: server.app.parked == 1)
        server.admission.ban("127.0.0.1", until=trio.current_time() + 60)
        await until(lambda: server.admission.open == 0)
        assert server.app.hung_up == 1
        await read_to_end(stream)


async def test_a_client_that_never_reads_is_cut_off_under_tls(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    async with (
        open_server(**certificate, send_timeout=0.2) as server,
        await server.connect_tls(context) as stream,
    ):
        await stream.send_all(GET.replace(b"/ ", b"/endless "))
        await until(lambda: server.admission.open == 0)
