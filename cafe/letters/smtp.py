"""One attempt to send a letter to a mail server by SMTP, and the outcome of its answers.

Rule: `send` raises no error and has a time-out: whatever the server does, the outcome is one word.
It runs in a thread, whose connection is shut down at the time-out. The login and the answers to it
are neither logged nor stored.

smtplib raises one exception for a temporary refusal (4xx) and for a final one (5xx); the status
tells them apart. A refused login is neither: it is the fault of the shop's settings, not of the
letter.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import structlog
import trio

from cafe.letters.letter import Answer, Letter
from cafe.letters.rendering import one_line
from cafe.letters.tables import LONGEST_SAID

SECONDS: Final = 60.0
"""The time-out of a whole attempt."""
STEP_SECONDS: Final = 20.0
"""The time-out of the connection, and of each answer of the server."""
MOST_AT_ONCE: Final = 8
"""The most connections in each lane."""
PORTS: Final = {"smtp": 25, "smtps": 465, "starttls": 587}
LOGIN_STATUSES: Final = frozenset({530, 534, 535, 538})
"""Statuses that require a login or refuse one, for any command (RFC 4954, 6)."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("letter")


class Trouble(StrEnum):
    """Why a letter was not sent, if the outcome is not the status of an answer."""

    UNREACHABLE = "unreachable"
    """No connection could be made, or the server refuses it."""
    TLS = "tls"
    """The server's certificate is wrong, or the server cannot encrypt."""
    LOGIN = "login"
    """The server refused the user and password, or requires them."""
    BROKEN = "broken"
    """The connection was lost, or an answer was not SMTP."""
    TIME_OUT = "time-out"
    FAILED = "failed"
    """Any other error, which is logged."""


TROUBLES: Final[tuple[tuple[tuple[type[Exception], ...], Trouble], ...]] = (
    ((smtplib.SMTPAuthenticationError,), Trouble.LOGIN),
    ((smtplib.SMTPConnectError, smtplib.SMTPHeloError), Trouble.UNREACHABLE),
    ((smtplib.SMTPNotSupportedError, ssl.SSLError), Trouble.TLS),
    ((smtplib.SMTPException, ConnectionResetError, BrokenPipeError), Trouble.BROKEN),
    ((OSError, UnicodeError), Trouble.UNREACHABLE),  # UnicodeError: of a host name
)
"""The first row that matches is the outcome of an error; some are subclasses of later ones."""


class Wire:
    """The socket of an attempt, which can be shut down from outside of its thread."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None

    def shut_down(self) -> None:
        """End the reads and writes of the thread."""
        if self.socket is not None:
            with suppress(OSError):  # it is closed already
                # Not SSLSocket's method: only the thread that reads may call that.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Connection(smtplib.SMTP):
    """A connection without TLS at first, which publishes its socket."""

    def __init__(self, wire: Wire, host: str, port: int, **options: Any) -> None:
        """Connect, and read the greeting."""
        self._wire = wire
        super().__init__(host, port, timeout=STEP_SECONDS, **options)

    def getreply(self) -> tuple[int, bytes]:
        """Return the server's next answer."""
        self._wire.socket = self.sock
        return super().getreply()


class EncryptedConnection(Connection, smtplib.SMTP_SSL):
    """A connection with TLS from its first byte, which publishes its socket."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server to which letters are sent."""

    scheme: str
    host: str
    port: int
    sender: str
    """The bare address of the sender."""
    helo: str
    """Our domain in HELO, so that smtplib does not look it up."""
    context: ssl.SSLContext
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    seconds: float = SECONDS
    limiter: trio.CapacityLimiter = field(
        default_factory=lambda: trio.CapacityLimiter(2 * MOST_AT_ONCE)
    )

    async def send(self, letter: Letter, content: str) -> Answer:
        """Make one attempt to send a message; return its outcome."""
        wire = Wire()
        with trio.move_on_after(self.seconds):
            try:
                return await trio.to_thread.run_sync(
                    self._send,
                    wire,
                    letter.address,
                    content,
                    abandon_on_cancel=True,
                    limiter=self.limiter,
                )
            finally:
                wire.shut_down()
        return Answer(Trouble.TIME_OUT)

    def _send(self, wire: Wire, address: str, content: str) -> Answer:
        try:
            connection = self._connect(wire)
            try:
                connection.sendmail(self.sender, address, content)
            finally:
                with suppress(smtplib.SMTPException, OSError):  # it has answered before
                    connection.quit()
                connection.close()
        except Exception as error:  # noqa: BLE001 - a server may fail a library in any way
            return answer_for(error)
        return Answer("250")

    def _connect(self, wire: Wire) -> smtplib.SMTP:
        if self.scheme == "smtps":
            connection: smtplib.SMTP = EncryptedConnection(
                wire, self.host, self.port, local_hostname=self.helo, context=self.context
            )
        else:
            connection = Connection(wire, self.host, self.port, local_hostname=self.helo)
        try:
            if self.scheme == "starttls":
                connection.starttls(context=self.context)
            if self.user is not None:
                _login(connection, self.user, self.password or "")
        except BaseException:
            connection.close()
            raise
        return connection


def _login(connection: smtplib.SMTP, user: str, password: str) -> None:
    """Log in; raises SMTPAuthenticationError also if the server supports no login of ours."""
    try:
        connection.login(user, password)
    except UnicodeEncodeError as error:  # else mistaken for an error of a host name
        raise smtplib.SMTPAuthenticationError(504, "no login in ASCII") from error
    except smtplib.SMTPException as error:
        # smtplib has no class of its own for these; a missing STARTTLS raises the first, too.
        if type(error) in {smtplib.SMTPNotSupportedError, smtplib.SMTPException}:
            raise smtplib.SMTPAuthenticationError(504, "no login that we have") from error
        raise


def mail_server(url: str, sender: str, *, seconds: float = SECONDS) -> MailServer:
    """Return the mail server of a URL; user and password are percent-decoded."""
    parts = urlsplit(url)
    return MailServer(
        parts.scheme,
        parts.hostname or "",  # the setting was checked
        parts.port or PORTS[parts.scheme],
        sender,
        sender.rpartition("@")[2],
        ssl.create_default_context(),
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
        seconds,
    )


def answer_for(error: Exception) -> Answer:
    """Return the outcome of an attempt that failed with an error."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refused(*next(iter(error.recipients.values())))
    if isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)):
        return _refused(error.smtp_code, error.smtp_error)
    if isinstance(error.__context__, TimeoutError):
        return Answer(Trouble.TIME_OUT)
    for kinds, trouble in TROUBLES:
        if isinstance(error, kinds):
            return Answer(trouble)
    log.warning("attempt failed", error=type(error).__name__)
    return Answer(Trouble.FAILED)


def _refused(status: int, said: bytes | str) -> Answer:
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    if status in LOGIN_STATUSES:
        return Answer(Trouble.LOGIN)
    if not 400 <= status <= 599:  # noqa: PLR2004 - what RFC 5321 calls a refusal
        return Answer(Trouble.BROKEN)
    return Answer(str(status), one_line(text)[:LONGEST_SAID] or None)
