"""Who has left, for all connections of one server: the kernel tells, and one task hears it.

Rule: a callback, not a task, for each who waits. A second task beside a customer's own would cost
more than the rest of his wait, and would have to read what he sends meanwhile to see the end of it;
EPOLLRDHUP tells of the end whatever stands before it unread.
"""

from __future__ import annotations

import select
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from typing import NoReturn

import trio


class HangUps:
    """Calls back, once, when the peer of a watched socket has closed its side."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._registered: set[int] = set()

    def close(self) -> None:
        """Watch no more."""
        self._epoll.close()

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call back when the peer leaves; soon, but not from in here, if he has left already."""
        self._callbacks[descriptor] = callback
        if descriptor not in self._registered:
            self._registered.add(descriptor)
            self._epoll.register(descriptor, select.EPOLLRDHUP)

    def unwatch(self, descriptor: int) -> None:
        """Call back no more. The kernel goes on: the next order is not long in coming."""
        self._callbacks.pop(descriptor, None)

    def forget(self, descriptor: int) -> None:
        """Have nothing more to do with it; before it is closed, for its number is given again."""
        self.unwatch(descriptor)
        if descriptor in self._registered:
            self._registered.remove(descriptor)
            self._epoll.unregister(descriptor)

    async def run(self) -> NoReturn:
        """Hear who leaves, for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for descriptor, _ in self._epoll.poll(0):
                callback = self._callbacks.get(descriptor, _nothing)
                self.forget(descriptor)
                callback()


def _nothing() -> None:
    """Stand in where nobody waits for this."""


@asynccontextmanager
async def hearing_hang_ups() -> AsyncGenerator[HangUps | None]:
    """Hear them inside of the block; None where the kernel has no such thing."""
    if not hasattr(select, "epoll"):
        yield None
        return
    with closing(HangUps()) as hang_ups:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hang_ups.run)
            yield hang_ups
            nursery.cancel_scope.cancel()
