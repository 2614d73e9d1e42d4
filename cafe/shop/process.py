"""The shop's use of its process and its machine: signals, the clock, the database's server.

Rule: after its start the shop does not ask the operating system for the time. Leases and waits are
differences, which a corrected system clock must not change; under trio's virtual time they are
virtual too.
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
"""The time between attempts to connect to the database at the start."""
LAST_SHARE = 0.1
"""The last share of the shutdown time, in which cancelled tasks may end."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


def start_clock() -> Callable[[], float]:
    """Return a clock: seconds since the Unix epoch, advancing with trio's clock from now on."""
    offset = time.time() - trio.current_time()
    return lambda: offset + trio.current_time()


async def until_signalled(seconds: float, serve: Callable[[trio.Event], Awaitable[None]]) -> None:
    """Run `serve`, given an event that is set by SIGTERM or SIGINT.

    After that it has this many seconds to end. A second signal ends the process at once.
    """
    # Before `serve`: the process that reads the announced addresses may send a signal at once.
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
    """Cancel the scope shortly before closing has taken this many seconds; then end the process.

    All waiting clients have been answered long before. What is left may be a call that cannot be
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
    """Yield the ledger's database, once its server answers; None if the shutdown begins before.

    With `on_standby` it also waits while another process owns the ledger, and calls `on_standby`
    when such a wait begins. At the end, closing its connections may take `seconds`.
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
    """Open the ledger; retries as long as its server is away, and raises other LedgerErrors.

    A refused login is not retried: it needs another setting. If another process owns the ledger,
    raises DatabaseInUse at once, or waits if `on_standby` is given.
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
    """Open the ledger once no other process owns it; raises LedgerError.

    `on_standby` is called in the event loop when the wait for it begins.
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
        standby.cancel()  # otherwise the thread would own the ledger, and nothing would use it
        raise


async def first_of(*waits: Callable[[], Awaitable[T]]) -> T:
    """Return the result of the first of these to finish, and cancel the others.

    An exception is raised in an ExceptionGroup, as by a nursery.
    """
    returned: list[T] = []

    async def wait(one: Callable[[], Awaitable[T]], scope: trio.CancelScope) -> None:
        returned.append(await one())
        scope.cancel()

    async with trio.open_nursery() as nursery:
        for one in waits:
            nursery.start_soon(wait, one, nursery.cancel_scope)
    return returned[0]
