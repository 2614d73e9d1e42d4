"""settle returns when all other tasks are blocked, and no time has passed."""

from __future__ import annotations

import math

import pytest
import trio

from actors.testing import settle

pytestmark = pytest.mark.schedules(20)


async def test_settle_returns_when_the_other_tasks_are_blocked() -> None:
    async def pass_on(source: trio.MemoryReceiveChannel[int], to: list[int]) -> None:
        async for number in source:
            await trio.lowlevel.checkpoint()
            to.append(number)

    send, receive = trio.open_memory_channel[int](math.inf)
    taken: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_on, receive, taken)
        for number in range(10):
            send.send_nowait(number)
        await settle()
        assert taken == list(range(10))
        send.close()


async def test_no_time_passes() -> None:
    woken = False

    async def nap() -> None:
        nonlocal woken
        await trio.sleep(1e-6)
        woken = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(nap)
        await settle()
        assert (woken, trio.current_time()) == (False, 0)
        await trio.sleep(1)
        assert woken


async def test_two_may_settle_at_once() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(settle)
        await settle()
    assert trio.current_time() == 0
