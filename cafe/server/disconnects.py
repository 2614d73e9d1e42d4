"""Disconnects, for all connections of one server: the kernel reports them to one task.

Rule: each request that waits costs a callback, not a task. A second task beside a customer's own
would cost more than the rest of the wait, and would have to read all that the client sends to see
the end of it; EPOLLRDHUP reports the end even behind unread bytes.
"""

from __future__ import annotations

import select
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from typing import NoReturn

import trio


class Disconnects:
    """Calls a callback, once, when the peer of a watched socket has closed its side."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._registered: set[int] = set()

    def close(self) -> None:
        """Close the epoll descriptor; nothing is watched after that."""
        self._epoll.close()

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call `callback` when the peer disconnects; if it has already, soon, but not in this call.

        Raises OSError if the kernel refuses to watch another: then nothing has changed.
        """
        if descriptor not in self._registered:
            self._epoll.register(descriptor, select.EPOLLRDHUP)
            self._registered.add(descriptor)
        self._callbacks[descriptor] = callback

    def unwatch(self, descriptor: int) -> None:
        """Drop the callback. The descriptor stays registered, for the next order."""
        self._callbacks.pop(descriptor, None)

    def forget(self, descriptor: int) -> None:
        """Drop the callback and the registration; call it before the descriptor is closed."""
        self.unwatch(descriptor)
        if descriptor in self._registered:
            self._registered.remove(descriptor)
            self._epoll.unregister(descriptor)

    async def run(self) -> NoReturn:
        """Call the callback of each disconnect, until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for descriptor, _ in self._epoll.poll(0):
                callback = self._callbacks.get(descriptor, _ignore)
                self.forget(descriptor)
                callback()


def _ignore() -> None:
    """Do nothing, in place of a callback that was dropped."""


@asynccontextmanager
async def watching_disconnects() -> AsyncGenerator[Disconnects | None]:
    """Yield `Disconnects` whose task runs during the block; None if there is no epoll."""
    if not hasattr(select, "epoll"):
        yield None
        return
    with closing(Disconnects()) as disconnects:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(disconnects.run)
            yield disconnects
            nursery.cancel_scope.cancel()
