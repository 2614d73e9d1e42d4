from __future__ import annotations

import trio
import trio.testing
from hypercorn.typing import ASGIReceiveEvent

from cafe.serving.request import DEPTH, Inbox

GONE: ASGIReceiveEvent = {"type": "http.disconnect"}


def piece(number: int) -> ASGIReceiveEvent:
    return {"type": "http.request", "body": b"%d" % number, "more_body": True}


async def test_messages_arrive_in_their_order_and_then_the_disconnect_ever_again() -> None:
    inbox = Inbox()
    for number in range(DEPTH):
        await inbox.put(piece(number))
    await inbox.put(GONE)
    assert [await inbox.receive() for _ in range(DEPTH)] == [piece(n) for n in range(DEPTH)]
    assert [await inbox.receive() for _ in range(3)] == [GONE] * 3


async def test_a_full_inbox_keeps_the_client_waiting_until_something_is_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    inbox = Inbox()
    for number in range(DEPTH):
        await inbox.put(piece(number))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.put, piece(DEPTH))
        await trio.sleep(100)
        assert autojump_clock.current_time() == 100
        assert [await inbox.receive() for _ in range(DEPTH + 1)] == [
            piece(n) for n in range(DEPTH + 1)
        ]


async def test_a_disconnect_ends_all_waiting() -> None:
    full, empty = Inbox(), Inbox()
    for number in range(DEPTH):
        await full.put(piece(number))
    received: list[ASGIReceiveEvent] = []

    async def receive() -> None:
        received.append(await empty.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(full.put, piece(DEPTH))
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        await full.put(GONE)
        await empty.put(GONE)
    assert received == [GONE]
