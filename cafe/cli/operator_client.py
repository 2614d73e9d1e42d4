"""The client with which a command makes a manager's requests to the shop, running or not.

Rule: one way. If the database is free, the house is opened in this process, without ports; if a
shop uses it, its baristas' port is asked, with a token for this request that is signed with the
shop's own secret: a process that can read the secret may manage the shop.
"""

from __future__ import annotations

import logging
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar

import httpx
import structlog
import trio

from cafe.accounts.secret import find_secret
from cafe.accounts.tokens import Tokens, tokens_of
from cafe.cli.health import EVERYWHERE
from cafe.cli.managing import CommandRefusedError
from cafe.cli.opening import leaves
from cafe.ledger.database import is_in_memory, parse_address
from cafe.ledger.errors import DatabaseInUse, LedgerError
from cafe.server.config import ConfigError, ServerConfig, load_config, parse_bind
from cafe.settings import Settings, SettingsError, read_settings
from cafe.shop.offline import open_offline
from cafe.shop.ports import default_file

T = TypeVar("T")
SECONDS: Final = 30.0
"""The time-out of the shop's answer."""


class OperatorAuth(httpx.Auth):
    """Signs each request with a token that holds for a minute."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the token."""
        request.headers["Authorization"] = f"Bearer {self._tokens.operator(time.time())}"
        yield request


@asynccontextmanager
async def manager_client(
    settings: Settings, url: str | None = None
) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a client of the staff's app that makes its requests as a manager.

    `url` is that of a running shop. Without it the house is opened here, or if a shop uses the
    database, that shop is asked at the port of these settings. Raises LedgerError, SettingsError or
    ConfigError.
    """
    async with AsyncExitStack() as stack:
        client: httpx.AsyncClient | None = None
        if url is None:
            refuse_memory(settings)
            try:
                client = await stack.enter_async_context(open_offline(settings))
            except DatabaseInUse:
                client = None
        if client is None:
            client = await stack.enter_async_context(running_shop(settings, url))
        yield client


def running_shop(settings: Settings, url: str | None) -> httpx.AsyncClient:
    """Return a client of a running shop; raises LedgerError, SettingsError or ConfigError."""
    tokens = tokens_of(find_secret(settings))
    verify = httpx.create_ssl_context() if url and url.startswith("https:") else None
    if url is None:
        url, verify = worker_url(settings)
    return httpx.AsyncClient(
        base_url=url,
        auth=OperatorAuth(tokens),
        timeout=SECONDS,
        verify=False if verify is None else verify,  # there is nothing to verify without TLS
        trust_env=False,
    )


def worker_url(settings: Settings) -> tuple[str, ssl.SSLContext | None]:
    """Return the URL of the baristas' port on this machine, and a context that trusts it.

    Raises ConfigError, or SettingsError for a port that is chosen at each start.
    """
    config = load_config(
        settings.worker_config,
        default=default_file("worker"),
        bind=settings.worker_bind,
        default_bind="127.0.0.1:8081",
    )
    host, port = parse_bind(config.bind[0])
    if port == 0:
        raise SettingsError("The shop runs, on a port that its settings do not tell; give --url")
    host = EVERYWHERE.get(host, host)
    host = f"[{host}]" if ":" in host else host
    if config.certfile is None:
        return f"http://{host}:{port}", None
    return f"https://{host}:{port}", trusting(config)


def trusting(config: ServerConfig) -> ssl.SSLContext:
    """Return a context that trusts the shop's own certificate, whatever names it has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(config.certfile)
    return context


def refuse_memory(settings: Settings) -> None:
    """Raise SettingsError for a database in memory: a command's changes there would be lost."""
    if is_in_memory(parse_address(settings.ledger_url)):
        raise SettingsError(
            "CAFE_DATABASE_URL: a database in memory is lost with its process; name a file, or "
            "give --url and CAFE_JWT_SECRET of the shop that runs"
        )


def run_with_client(
    work: Callable[[httpx.AsyncClient], Awaitable[T]],
    *,
    database_url: str | None = None,
    url: str | None = None,
) -> T:
    """Return what `work` returns, as `managed` does."""
    set_up_quiet_logs()

    async def main() -> T:
        async with manager_client(read_settings({"database_url": database_url}), url) as client:
            try:
                return await work(client)
            except httpx.RequestError as error:
                raise CommandRefusedError(no_answer(error)) from None

    try:
        return trio.run(main)
    except* (LedgerError, SettingsError, ConfigError, CommandRefusedError) as group:
        raise CommandRefusedError(str(leaves(group)[0])) from None
    except* UnicodeError:
        raise CommandRefusedError("What was typed is not text in UTF-8.") from None


def no_answer(error: httpx.RequestError) -> str:
    """Return the error of a request without an answer: its URL, and why there was none."""
    url = error.request.url
    asked = f"{url.scheme}://{url.netloc.decode()}"  # without a password in --url
    why = str(error).rstrip(".") or type(error).__name__
    return (
        f"The shop cannot be asked at {asked}: {why}. "
        "If its baristas' port is elsewhere, give --url."
    )


def set_up_quiet_logs() -> None:
    """Log only errors, on standard error."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
