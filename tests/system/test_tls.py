"""A shop set up by its toml files: customers over TLS, baristas over IPv6."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Generator
from urllib.parse import urlsplit

import httpx
import pytest
import trio
import trustme

from tests.system.api import ORDER, brew, start
from tests.system.raw_client import Client, read_to_end
from tests.system.shop import Shop, open_shop
from tests.system.until import TIMEOUT


def has_ipv6() -> bool:
    """Return whether this machine has an IPv6 loopback address."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


IPV6 = has_ipv6()
needs_ipv6 = pytest.mark.skipif(not IPV6, reason="this machine has no IPv6 loopback address")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def set_up(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    """Yield a shop whose customers' app speaks TLS and whose baristas' app listens on IPv6."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    lines = [f"{name}file = '{folder / name}.pem'" for name in ("cert", "key")]
    (folder / "client.toml").write_text("\n".join(lines) + "\nhead_timeout = 0.5\n")
    (folder / "worker.toml").write_text(f"bind = '{'[::1]' if IPV6 else '127.0.0.1'}:0'\n")
    with open_shop(
        client_config=folder / "client.toml",
        worker_config=folder / "worker.toml",
        closing_secondz=9,
        options=("--client-bind", "127.0.0.1:0", "--limit-waiting", "1"),
        limit_waiting=7,
    ) as shop:
        yield shop


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL
    return context


async def test_customers_order_over_tls(set_up: Shop, authority: trustme.CA) -> None:
    assert set_up.client.startswith("https://127.0.0.1:")
    async with (
        httpx.AsyncClient(
            base_url=set_up.client, verify=trusting(authority), timeout=TIMEOUT
        ) as customer,
        set_up.baristas() as barista,
    ):
        response = await customer.post("/order/", headers={"Prefer": "respond-async"})
        assert response.status_code == 202
        refused = await customer.post("/order/")  # an option goes before its variable
        assert (refused.status_code, refused.json()["limit"]) == (429, "waiting")
        assert (await brew(barista))["order_id"] == response.json()["order_id"]


async def test_only_http_1_1_is_spoken_over_tls(set_up: Shop, authority: trustme.CA) -> None:
    context = trusting(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with await tls(set_up, context) as stream:
        assert stream.selected_alpn_protocol() == "http/1.1"
        answer = await Client(stream).ask(b"GET /livez HTTP/1.1\r\nHost: cafe\r\n\r\n")
        assert answer.status == 200


async def test_hanging_up_is_noticed_over_tls_too(set_up: Shop, authority: trustme.CA) -> None:
    async with set_up.baristas() as barista:
        async with await tls(set_up, trusting(authority)) as stream:
            await stream.send_all(ORDER)
            await start(barista, wait=20)
        await set_up.log.line("request", status=499, route="/order")


async def test_a_client_that_half_closes_under_tls_gets_its_orders_id(
    set_up: Shop, authority: trustme.CA
) -> None:
    async with await tls(set_up, trusting(authority)) as stream, set_up.baristas() as barista:
        await stream.send_all(ORDER.replace(b"Content", b"Prefer: respond-async\r\nContent"))
        await stream.transport_stream.send_eof()
        answer = await Client(stream).read("POST")
        assert answer.status == 202
        assert await read_to_end(stream) == b""
        assert (await brew(barista))["order_id"] == json.loads(answer.body)["order_id"]


async def test_a_client_that_half_closes_under_tls_and_waits_gets_no_response(
    set_up: Shop, authority: trustme.CA
) -> None:
    async with await tls(set_up, trusting(authority)) as stream:
        await stream.send_all(ORDER)
        await stream.transport_stream.send_eof()
        assert await read_to_end(stream) == b""


async def tls(shop: Shop, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    stream = trio.SSLStream(
        await shop.connect(), context, server_hostname="127.0.0.1", https_compatible=True
    )
    await stream.do_handshake()
    return stream


@pytest.mark.parametrize("raw", [ORDER, b"\x16\x03\x01\x02", b""], ids=["http", "half", "nothing"])
async def test_a_client_that_does_not_speak_tls_is_closed(set_up: Shop, raw: bytes) -> None:
    async with await set_up.connect() as stream:
        await stream.send_all(raw)
        await stream.send_eof()
        assert b"HTTP/1.1 2" not in await read_to_end(stream)
    async with set_up.baristas() as barista:
        assert (await barista.get("/livez")).status_code == 200


async def test_the_toml_files_deadlines_hold(set_up: Shop, authority: trustme.CA) -> None:
    async with await tls(set_up, trusting(authority)) as stream:
        await stream.send_all(ORDER[:20])
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 408 ")


@needs_ipv6
async def test_baristas_come_over_ipv6(set_up: Shop) -> None:
    assert urlsplit(set_up.worker).hostname == "::1"
    async with set_up.baristas() as barista:
        assert (await barista.get("/orders")).status_code == 200
    await set_up.log.line("request", app="worker", route="/orders", address="::/64")  # as counted


def test_a_misspelt_variable_is_warned_of(set_up: Shop) -> None:
    first, *_ = set_up.log.lines()
    assert (first["event"], first["level"]) == ("setting", "warning")
    assert first["detail"] == (
        "CAFE_CLOSING_SECONDZ is no setting of the café; did you mean CAFE_CLOSING_SECONDS?"
    )
