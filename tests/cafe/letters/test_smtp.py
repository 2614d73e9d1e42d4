"""Letters to real mail servers on sockets: what each answer and each failure comes to."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import pytest
import trio
import trustme
from structlog.testing import capture_logs

from cafe.letters.letter import Answer, Kind, Letter, new_letter
from cafe.letters.smtp import SECONDS, STEP_SECONDS, MailServer, Trouble, mail_server
from tests.cafe.letters.mailroom import NOON, STATIONERY, facts_of
from tests.system.mail_server import HOST, PASSWORD, USER, Inbox, certificates, open_inbox

# aiosmtpd's, of servers that take a login without TLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

SENDER = "cafe@cafe.example"
LOGIN = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@"
Serve = Callable[[trio.SocketStream], Awaitable[None]]


def letter(address: str = "ada@example.org") -> Letter:
    return new_letter(7, "b1", Kind.RECEIVED, NOON, address=address, domain="cafe.example")


async def send(server: MailServer, address: str = "ada@example.org") -> Answer:
    one = letter(address)
    content = STATIONERY.message(one, facts_of("b1", address, name="Zoë .\r\n."), None)
    return await server.send(one, content)


def at(inbox: Inbox, scheme: str = "smtp", login: str = "") -> MailServer:
    return mail_server(f"{scheme}://{login}{HOST}:{inbox.port}", SENDER)


def trust(server: MailServer, authority: trustme.CA) -> None:
    """Have a server's certificate trusted."""
    server.context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())


async def test_a_letter_arrives_as_it_was_written() -> None:
    with open_inbox() as inbox:
        assert await send(at(inbox)) == Answer("250")
    ((address, message),) = inbox.taken
    assert (address, inbox.senders) == ("ada@example.org", {SENDER})
    assert message["To"] == "ada@example.org"
    assert message["Message-ID"] == letter().message_id
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "Hello Zoë . .," in plain.get_content()


@pytest.mark.parametrize("scheme", ["smtps", "starttls"])
async def test_tls_and_a_login_with_any_character(scheme: str) -> None:
    context, authority = certificates()
    with open_inbox(scheme, context, login=True) as inbox:
        server = at(inbox, scheme, LOGIN)
        trust(server, authority)
        assert await send(server) == Answer("250")
    assert inbox.encrypted == {True}
    assert inbox.logins == [(USER.encode(), PASSWORD.encode())]


@pytest.mark.parametrize("scheme", ["smtps", "starttls"])
@pytest.mark.parametrize("host", [HOST, "mail.example"])
async def test_a_certificate_that_is_not_trusted_or_of_another_host_gets_no_letter(
    scheme: str, host: str
) -> None:
    context, authority = certificates(host)
    with open_inbox(scheme, context, login=True) as inbox:
        server = at(inbox, scheme, LOGIN)
        if host != HOST:
            trust(server, authority)
        assert await send(server) == Answer(Trouble.TLS)
    assert (inbox.taken, inbox.logins) == ([], [])


async def test_a_server_without_starttls_gets_neither_login_nor_letter() -> None:
    with open_inbox(login=True) as inbox:
        assert await send(at(inbox, "starttls", LOGIN)) == Answer(Trouble.TLS)
    assert (inbox.taken, inbox.logins) == ([], [])


@pytest.mark.parametrize("login", ["", "ada:wrong@", "ada:%C3%A9@"])
async def test_a_missing_or_refused_login_is_no_letters_fault(login: str) -> None:
    with open_inbox(login=True) as inbox:
        assert await send(at(inbox, login=login)) == Answer(Trouble.LOGIN)
    assert inbox.taken == []


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("450 4.2.0 Greylisted", Answer("450", "4.2.0 Greylisted")),
        ("550 5.1.1 No such user", Answer("550", "5.1.1 No such user")),
        ("421 4.3.2 Closing", Answer("421", "4.3.2 Closing")),
        ("530 5.7.0 Authentication required", Answer(Trouble.LOGIN)),
        ("550 " + 300 * "x", Answer("550", 200 * "x")),
        ("550 \x1b[31m", Answer("550", "[31m")),
    ],
)
async def test_a_refused_recipient_or_message_is_told_with_its_status(
    said: str, answer: Answer
) -> None:
    with open_inbox() as inbox:
        inbox.answers["bad@example.org"] = [said]
        assert await send(at(inbox), "bad@example.org") == answer
        inbox.data = [said]
        assert await send(at(inbox)) == answer
        assert await send(at(inbox)) == Answer("250")


@asynccontextmanager
async def serving(serve: Serve) -> AsyncGenerator[int]:
    """Serve each connection with `serve`, and yield the port."""

    async def serve_until_gone(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):  # the sender has given up
            await serve(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve_until_gone, 0, host=HOST))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def stall(_stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def drip(stream: trio.SocketStream) -> None:
    while True:
        await stream.send_all(b"2")
        await trio.sleep(0.05)


async def greet_for_ever(stream: trio.SocketStream) -> None:
    while True:
        await stream.send_all(b"220-hello\r\n" * 100)
        await trio.sleep(0.01)


async def stall_after_the_greeting(stream: trio.SocketStream) -> None:
    await stream.send_all(b"220 hello\r\n")
    await trio.sleep_forever()


async def hang_up(_stream: trio.SocketStream) -> None:
    pass


async def want_none(stream: trio.SocketStream) -> None:
    await stream.send_all(b"554 5.3.2 Not today\r\n")
    await stream.receive_some()


async def talk_nonsense(stream: trio.SocketStream) -> None:
    await stream.send_all(b"220 hello\r\n")
    async for _ in stream:
        await stream.send_all(b"\xff\xfe HTTP/1.1 200 OK\r\n")


async def hang_up_after_the_message(stream: trio.SocketStream) -> None:
    await stream.send_all(b"220 hello\r\n")
    received = b""
    while b"data\r\n" not in received:
        received += await stream.receive_some()
        await stream.send_all(b"354 go on\r\n" if b"data\r\n" in received else b"250 OK\r\n")
    await stream.receive_some()


async def hang_up_after_taking_it(stream: trio.SocketStream) -> None:
    await stream.send_all(b"220 hello\r\n")
    received = b""
    while b"data\r\n" not in received:
        received += await stream.receive_some()
        await stream.send_all(b"354 go on\r\n" if b"data\r\n" in received else b"250 OK\r\n")
    while not received.endswith(b"\r\n.\r\n"):
        received += await stream.receive_some()
    await stream.send_all(b"250 OK\r\n")


@pytest.mark.parametrize(
    ("serve", "outcome"),
    [
        (stall, Trouble.TIME_OUT),
        (drip, Trouble.TIME_OUT),
        (greet_for_ever, Trouble.TIME_OUT),
        (stall_after_the_greeting, Trouble.TIME_OUT),
        (hang_up, Trouble.BROKEN),
        (want_none, Trouble.UNREACHABLE),
        (talk_nonsense, Trouble.UNREACHABLE),
        (hang_up_after_the_message, Trouble.BROKEN),
        (hang_up_after_taking_it, "250"),
    ],
)
async def test_whatever_a_server_does_there_is_an_outcome_in_time_and_no_thread_is_left(
    serve: Serve, outcome: str
) -> None:
    async with serving(serve) as port:
        seconds = 0.5 if outcome is Trouble.TIME_OUT else SECONDS
        server = replace(mail_server(f"smtp://{HOST}:{port}", SENDER), seconds=seconds)
        began = trio.current_time()
        assert (await send(server)).outcome == outcome
        assert trio.current_time() - began < STEP_SECONDS  # the socket's own time-out
        with trio.fail_after(STEP_SECONDS):
            while server.limiter.borrowed_tokens:  # noqa: ASYNC110 - a thread has no event here
                await trio.sleep(0.01)


@pytest.mark.parametrize("extension", [b"HELP", b"AUTH GSSAPI"])
async def test_a_server_that_takes_no_login_that_we_have_is_told_as_that(extension: bytes) -> None:
    async def take_no_login(stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 hello\r\n")
        async for _ in stream:
            await stream.send_all(b"250-mail.example\r\n250 " + extension + b"\r\n")

    async with serving(take_no_login) as port:
        server = mail_server(f"smtp://{LOGIN}{HOST}:{port}", SENDER)
        assert await send(server) == Answer(Trouble.LOGIN)


async def test_an_attempt_that_is_cancelled_leaves_at_once() -> None:
    async with serving(stall) as port:
        server = mail_server(f"smtp://{HOST}:{port}", SENDER)
        began = trio.current_time()
        with trio.move_on_after(0.2):
            await send(server)
        assert trio.current_time() - began < STEP_SECONDS
        with trio.fail_after(STEP_SECONDS):
            while server.limiter.borrowed_tokens:  # noqa: ASYNC110 - as above
                await trio.sleep(0.01)


@pytest.mark.parametrize("host", ["nothing.invalid", f"{HOST}:1", "x" * 70])
async def test_a_server_that_is_not_there_is_unreachable(host: str) -> None:
    assert await send(mail_server(f"smtp://{host}", SENDER)) == Answer(Trouble.UNREACHABLE)


async def test_no_login_is_shown_or_logged() -> None:
    with open_inbox(login=True) as inbox, capture_logs() as logs:
        server = at(inbox, login="ada:sesame-open@")
        assert await send(server) == Answer(Trouble.LOGIN)
    assert "sesame-open" not in repr(server)
    assert "sesame-open" not in repr(logs)


def test_the_ports_are_the_usual_ones_and_the_context_verifies() -> None:
    for scheme, port in (("smtp", 25), ("smtps", 465), ("starttls", 587)):
        server = mail_server(f"{scheme}://mail.example", SENDER)
        assert (server.port, server.helo, server.user) == (port, "cafe.example", None)
        assert server.context.verify_mode is ssl.CERT_REQUIRED
        assert server.context.check_hostname
