"""What the shop has of its process and its machine: signals, the clock, the database's server.

Rule: nothing in the shop asks the operating system for the time. Leases and waits are differences,
which a corrected system clock must not change; and under trio's virtual time they are virtual too.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

import structlog
import trio

from cafe.ledger.database import waits_for_server
from cafe.ledger.errors import DatabaseGone, LoginRefused
from cafe.ledger.standby import Standby
from cafe.ledger.store import Store, open_store

T = TypeVar("T")

RETRY_SECONDS = 1.0
"""Between two attempts to connect to the database at the start."""
LAST_SHARE = 0.1
"""Of the shutdown time: how long what was cancelled may take to end, at its end."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


def start_clock() -> Callable[[], float]:
    """Return a clock: seconds since the Unix epoch, advancing with trio's clock from now on."""
    offset = time.time() - trio.current_time()
    return lambda: offset + trio.current_time()


async def until_signalled(seconds: float, serve: Callable[[trio.Event], Awaitable[None]]) -> None:
    """Run `serve`, given an event that is set by SIGTERM or SIGINT.

    It has so many seconds to end after that. A second signal ends the process at once.
    """
    # From the start: the process that is told the addresses may send a signal at once.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            closing_time, scope = trio.Event(), trio.CancelScope()
            nursery.start_soon(tell_signal, signals, closing_time)
            nursery.start_soon(end_late, closing_time, seconds, scope)
            with scope:
                await serve(closing_time)
            nursery.cancel_scope.cancel()


async def tell_signal(signals: AsyncIterator[int], closing_time: trio.Event) -> None:
    """Set the event at the first signal; a second one ends the process at once."""
    signum = await anext(signals)
    log.info("signal", name=signal.Signals(signum).name)
    for either in (signal.SIGTERM, signal.SIGINT):
        signal.signal(either, exit_at_once)
    closing_time.set()


def exit_at_once(signum: int, _frame: object) -> None:
    """End the process with the exit code that a shell reports for this signal.

    Not by the signal's default action: the kernel ignores that for process 1, as in a container.
    """
    os._exit(128 + signum)


async def end_late(
    closing_time: trio.Event,
    seconds: float,
    scope: trio.CancelScope,
    leave: Callable[[int], object] = os._exit,
) -> None:
    """Cancel the scope shortly before closing has taken so many seconds; end the process then.

    All who wait have been answered long before. What is left may be a call that cannot be
    cancelled, in a thread that waits for a hung disk.
    """
    await closing_time.wait()
    ended = trio.current_time() + seconds
    await trio.sleep_until(ended - LAST_SHARE * seconds)
    log.warning("closing takes too long", seconds=seconds)
    scope.cancel()
    await trio.sleep_until(ended)
    log.warning("threads that hang are left behind")
    await trio.lowlevel.checkpoint()  # the log is written between two turns of the scheduler
    leave(0)


@asynccontextmanager
async def opened(
    url: str,
    closing_time: trio.Event,
    seconds: float,
    on_standby: Callable[[], None] | None = None,
) -> AsyncGenerator[Store | None]:
    """Open the ledger's database, waiting for its server; None if the shutdown begins before that.

    With `on_standby` it also waits as long as another process owns the ledger, and calls that when
    such a wait begins. At the end, closing its connections may take `seconds`.
    """
    store = await first_of(partial(open_patiently, url, on_standby), closing_time.wait)
    try:
        yield store
    finally:
        if store is not None:
            store.abort()
            with trio.move_on_after(seconds, shield=True):
                await trio.to_thread.run_sync(store.close, abandon_on_cancel=True)


async def open_patiently(url: str, on_standby: Callable[[], None] | None = None) -> Store:
    """Open the ledger, however long its server is away; raises LedgerError for all else.

    A refused login is not an outage: it takes another setting. Another owner is DatabaseInUse at
    once, or waited for where there is `on_standby`.
    """
    is_logged = False
    while True:
        try:
            if on_standby is not None:
                return await open_or_stand_by(url, on_standby)
            return await trio.to_thread.run_sync(open_store, url, abandon_on_cancel=True)
        except DatabaseGone as gone:
            if isinstance(gone, LoginRefused) or not waits_for_server(url):
                raise
            if not is_logged:
                log.warning("the database is awaited", detail=str(gone))
            is_logged = True
            await trio.sleep(RETRY_SECONDS)


async def open_or_stand_by(url: str, on_standby: Callable[[], None]) -> Store:
    """Open the ledger when no other process owns it any more; raises LedgerError.

    `on_standby` is called in the event loop when the wait for that begins.
    """
    token = trio.lowlevel.current_trio_token()

    def on_wait() -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(on_standby)

    standby = Standby(on_wait)
    try:
        return await trio.to_thread.run_sync(
            partial(open_store, url, standby=standby), abandon_on_cancel=True
        )
    except trio.Cancelled:
        standby.cancel()  # or the thread would own the ledger, and nothing would use it
        raise


async def first_of(*waits: Callable[[], Awaitable[T]]) -> T:
    """Return what the first of these returns, and cancel the others.

    An exception is raised in a group, as a nursery does.
    """
    returned: list[T] = []

    async def wait(one: Callable[[], Awaitable[T]], scope: trio.CancelScope) -> None:
        returned.append(await one())
        scope.cancel()

    async with trio.open_nursery() as nursery:
        for one in waits:
            nursery.start_soon(wait, one, nursery.cancel_scope)
    return returned[0]
