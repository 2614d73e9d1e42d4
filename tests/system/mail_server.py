"""A real mail server on a socket, that takes letters, or refuses them as a test says.

Rule: aiosmtpd in a thread of its own; what it took is there once the sender has its answer.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from threading import Thread
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "ada@cafe.example", "s3:c/r@t %25"
HOST = "127.0.0.1"


@dataclass
class Inbox:
    """What a mail server has taken, and what it answers."""

    port: int = 0
    answers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By recipient, the next answers to RCPT; then it is taken."""
    data: list[str] = field(default_factory=list[str])
    """The next answers to a message."""
    answers_data: bool = True
    """Whether a message that is taken is answered, or never."""
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list[tuple[str, EmailMessage]])
    """By recipient, the messages as a mail reader parses them."""
    senders: set[str] = field(default_factory=set[str])
    logins: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    encrypted: set[bool] = field(default_factory=set[bool])

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if answers := self.answers.get(address):
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.data:
            return self.data.pop(0)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        (address,) = envelope.rcpt_tos
        self.senders.add(envelope.mail_from or "")
        assert server.transport is not None
        self.encrypted.add(server.transport.get_extra_info("sslcontext") is not None)
        self.taken.append((address, message))
        if not self.answers_data:
            await asyncio.Event().wait()
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, login: Any
    ) -> AuthResult:
        """Take one user and password."""
        assert isinstance(login, LoginPassword)
        self.logins.append((login.login, login.password))
        right = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=login == right, handled=False)

    def subjects(self, address: str) -> list[str]:
        """Return the subjects of the letters to an address."""
        return [str(message["Subject"]) for to, message in self.taken if to == address]


TURNS = 5
"""Of the loop, in which connections that are closing get closed."""


@contextmanager
def open_inbox(
    scheme: str = "smtp", tls: ssl.SSLContext | None = None, *, login: bool = False
) -> Generator[Inbox]:
    """Open a mail server for URLs of a scheme, with a login or without."""
    inbox = Inbox()

    def protocol() -> SMTP:
        return SMTP(
            inbox,
            hostname="mail.example",
            tls_context=tls if scheme == "starttls" else None,
            require_starttls=scheme == "starttls",
            auth_required=login,
            auth_require_tls=False,
            authenticator=inbox.authenticate,
            loop=loop,
        )

    loop = asyncio.new_event_loop()
    implicit = tls if scheme == "smtps" else None
    thread = Thread(target=loop.run_forever)
    thread.start()
    # In the thread: Playwright may have a loop of its own in this one.
    opening = loop.create_server(protocol, HOST, 0, ssl=implicit)
    server = asyncio.run_coroutine_threadsafe(opening, loop).result()
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        loop.call_soon_threadsafe(lambda: _stop(loop, server))
        thread.join()
        loop.close()
        with warnings.catch_warnings():
            # A connection that its client has left as the loop ended warns when it is collected.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def _stop(loop: asyncio.AbstractEventLoop, server: asyncio.Server) -> None:
    """End the connections that are open, then the loop."""
    server.close()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()

    async def end() -> None:
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        loop.stop()

    loop.create_task(end())


def certificates(host: str = HOST) -> tuple[ssl.SSLContext, trustme.CA]:
    """Return a server's context, and who has signed its certificate."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] # it also takes pyOpenSSL's
    return context, authority
