"""One try to charge, over real sockets: every way in which a provider can answer, or not."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from cafe.payments import provider
from cafe.payments.payment import MOST_ANSWER, Answer, Payment, Verdict
from cafe.payments.provider import charge, open_client, refund
from tests.system.tiny_server import Certificate

pytestmark = pytest.mark.once

PAYMENT = Payment("p1", "o1", "ada", 860, 0.0, charge_ref="c1")
Serve = Callable[[trio.SocketStream], Awaitable[None]]


def said(status: str, body: bytes = b'{"id": "c1"}', *fields: str) -> bytes:
    head = "".join(f"{field}\r\n" for field in (*fields, f"Content-Length: {len(body)}"))
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@asynccontextmanager
async def listening(serve: Serve) -> AsyncGenerator[str]:
    """Serve each connection by hand; yield the URL."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}/charge"
        nursery.cancel_scope.cancel()


async def asked(stream: trio.SocketStream) -> bytes:
    """Read a request to its end."""
    read = b""
    while b"}" not in read:
        read += await stream.receive_some()
    return read


async def try_charge(response: bytes) -> tuple[Answer, bytes]:
    """Return what becomes of a try that gets these bytes, and the request."""
    requests: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        requests.append(await asked(stream))
        await stream.send_all(response)
        await stream.aclose()

    async with listening(serve) as url, open_client(2) as client:
        answer = await charge(client, url, PAYMENT)
    return answer, requests[0]


async def test_a_charge_is_posted_with_the_key_of_its_payment() -> None:
    answer, request = await try_charge(said("200 OK"))
    assert answer == Answer(Verdict.ACCEPTED, 200, "c1", '{"id": "c1"}')
    assert request.startswith(b"POST /charge HTTP/1.1\r\n")
    assert b"\r\nIdempotency-Key: charge-p1\r\n" in request
    assert request.endswith(b'{"value":860}')


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("201 Created", Verdict.ACCEPTED),
        ("204 No Content", Verdict.ACCEPTED),
        ("301 Moved Permanently", Verdict.LATER),
        ("400 Bad Request", Verdict.REFUSED),
        ("402 Payment Required", Verdict.REFUSED),
        ("404 Not Found", Verdict.REFUSED),
        ("408 Request Timeout", Verdict.LATER),
        ("409 Conflict", Verdict.LATER),
        ("425 Too Early", Verdict.LATER),
        ("429 Too Many Requests", Verdict.LATER),
        ("500 Internal Server Error", Verdict.BROKEN),
        ("503 Service Unavailable", Verdict.BROKEN),
    ],
)
async def test_each_status_has_its_verdict(status: str, verdict: Verdict) -> None:
    body = b"" if status.startswith("204") else b"{}"
    answer, _ = await try_charge(
        said(status, body, "Location: http://127.0.0.1:1/", "Retry-After: 7")
    )
    assert (answer.verdict, answer.status) == (verdict, int(status[:3]))
    assert answer.retry_after == 7.0


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (b"", Verdict.BROKEN),
        (b"HTTP/1.1 2", Verdict.BROKEN),
        (b"coffee\r\n\r\n", Verdict.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Verdict.ACCEPTED),
    ],
)
async def test_an_answer_that_breaks_off_leaves_open_what_its_status_does_not_say(
    response: bytes, verdict: Verdict
) -> None:
    answer, _ = await try_charge(response)
    assert answer.verdict is verdict


@pytest.mark.parametrize(
    ("body", "ref"),
    [
        (b'{"id": 17}', "17"),
        (b'{"id": true}', None),
        (b"[1]", None),
        (b"\xff\x00\x1b", None),
        (b"[" * 4000, None),
        (b'{"id": "' + b"x" * 300 + b'"}', "x" * 255),
    ],
)
async def test_of_any_answer_what_can_be_stored_is_kept(body: bytes, ref: str | None) -> None:
    answer, _ = await try_charge(said("200 OK", body))
    assert (answer.verdict, answer.ref) == (Verdict.ACCEPTED, ref)
    assert answer.body is not None
    assert "\x00" not in answer.body
    answer.body.encode()


async def test_no_more_than_its_beginning_is_read_of_a_large_answer() -> None:
    answer, _ = await try_charge(said("200 OK", b"x" * 10_000_000))
    assert answer.body == "x" * MOST_ANSWER


async def test_a_refused_connection_has_sent_nothing() -> None:
    async with open_client(1) as client:
        answer = await charge(client, "http://127.0.0.1:1/charge", PAYMENT)
    assert answer == Answer(Verdict.UNREACHED)


async def test_a_stalling_provider_is_given_up_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provider, "ANSWER_SECONDS", 0.2)

    async def stall(stream: trio.SocketStream) -> None:
        await asked(stream)
        await trio.sleep_forever()

    async def drip(stream: trio.SocketStream) -> None:
        await asked(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await stream.send_all(b"x")
            await trio.sleep(0.05)

    for serve, verdict in ((stall, Verdict.BROKEN), (drip, Verdict.ACCEPTED)):
        async with listening(serve) as url, open_client(1) as client:
            with trio.fail_after(10):
                assert (await charge(client, url, PAYMENT)).verdict is verdict


async def test_a_certificate_of_a_stranger_is_not_trusted(certificate: Certificate) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate["certfile"], certificate["keyfile"])

    async def serve(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with listening(serve) as url, open_client(1) as client:
        answer = await charge(client, url.replace("http://127.0.0.1", "https://localhost"), PAYMENT)
    assert answer == Answer(Verdict.UNREACHED)


async def test_a_refund_names_its_charge() -> None:
    requests: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        requests.append(await asked(stream))
        await stream.send_all(said("200 OK"))

    async with listening(serve) as url, open_client(1) as client:
        ask = partial(refund, client, url)
        assert (await ask(PAYMENT)).verdict is Verdict.ACCEPTED
    assert b"\r\nIdempotency-Key: refund-p1\r\n" in requests[0]
    assert requests[0].endswith(b'{"value":860,"charge_id":"c1","charge_key":"charge-p1"}')
