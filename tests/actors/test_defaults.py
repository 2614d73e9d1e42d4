"""The defaults of the parameters, and their smallest values."""

from __future__ import annotations

import pytest
import trio

from actors import Restart, Strategy, System, open_system
from actors.testing import settle
from tests.actors.counter import Counter, Nap

pytestmark = pytest.mark.schedules


def test_an_actor_may_crash_three_times_in_five_seconds_and_is_replaced_at_once() -> None:
    assert Restart() == Restart(limit=3, within=5, backoff=0, longest=30, jitter=0.5)


async def test_a_mailbox_has_room_for_256_messages_and_a_group_is_called_group() -> None:
    async with open_system() as system:
        group = system.group(Strategy.REST_FOR_ONE)
        await group.start(Counter)
        assert str(system.tree()).splitlines() == [
            "system, one_for_one",
            "└─ group, rest_for_one",
            "   └─ Counter running, queued 0 of 256",
        ]


async def be_busy(system: System) -> None:
    await (await system.start(Counter)).tell(Nap(60))
    await settle()


async def test_what_is_queued_has_five_seconds() -> None:
    async with open_system() as system:
        await be_busy(system)
    assert trio.current_time() == pytest.approx(5)


async def test_the_grace_period_may_be_zero() -> None:
    async with open_system(grace=0) as system:
        await be_busy(system)
    assert trio.current_time() == 0


async def test_a_mailbox_may_have_room_for_one_message() -> None:
    async with open_system() as system:
        assert (await system.start(Counter, mailbox=1)).statistics().mailbox == 1
