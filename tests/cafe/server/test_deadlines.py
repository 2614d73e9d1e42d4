"""Deadlines of all connections: a wait that has not ended in time is ended, and no other."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import trio

from cafe.server.deadlines import Deadlines, watching_deadlines

pytestmark = pytest.mark.schedules(10)


@dataclass(eq=False)
class Guest:
    """Waits, and notes when it is timed out."""

    timed_out_at: list[float] = field(default_factory=list[float])

    def time_out(self) -> None:
        self.timed_out_at.append(trio.current_time())


async def test_a_wait_is_timed_out_once_at_its_deadline() -> None:
    async with watching_deadlines() as deadlines:
        begun, guest = trio.current_time(), Guest()
        deadlines.begin(guest, 5)
        await trio.sleep(20)
        assert guest.timed_out_at == [begun + 5]
        deadlines.end(guest, 5)


async def test_a_wait_that_has_ended_is_not_timed_out() -> None:
    async with watching_deadlines() as deadlines:
        guest = Guest()
        deadlines.begin(guest, 5)
        await trio.sleep(4)
        deadlines.end(guest, 5)
        await trio.sleep(20)
        assert guest.timed_out_at == []


async def test_a_shorter_wait_that_begins_later_ends_first() -> None:
    async with watching_deadlines() as deadlines:
        begun, patient, impatient, next_one = trio.current_time(), Guest(), Guest(), Guest()
        deadlines.begin(patient, 15)
        await trio.sleep(1)
        deadlines.begin(impatient, 5)
        await trio.sleep(1)
        deadlines.begin(next_one, 5)
        await trio.sleep(20)
        assert patient.timed_out_at == [begun + 15]
        assert impatient.timed_out_at == [begun + 6]
        assert next_one.timed_out_at == [begun + 7]


async def test_a_wait_that_begins_again_has_all_of_its_time_again() -> None:
    async with watching_deadlines() as deadlines:
        begun, guest, other = trio.current_time(), Guest(), Guest()
        for _ in range(5):
            deadlines.begin(guest, 5)
            deadlines.begin(other, 5)
            await trio.sleep(4)
            deadlines.end(guest, 5)
            deadlines.end(other, 5)
        deadlines.begin(guest, 5)
        await trio.sleep(20)
        assert guest.timed_out_at == [begun + 25]
        assert other.timed_out_at == []


async def test_a_waiter_that_is_timed_out_may_end_the_wait_of_another_that_is_due() -> None:
    @dataclass(eq=False)
    class Friend(Guest):
        deadlines: Deadlines = field(default_factory=Deadlines)
        other: Guest = field(default_factory=Guest)

        def time_out(self) -> None:
            super().time_out()
            self.deadlines.end(self.other, 5)

    async with watching_deadlines() as deadlines:
        other = Guest()
        friend = Friend(deadlines=deadlines, other=other)
        deadlines.begin(friend, 5)
        deadlines.begin(other, 5)
        await trio.sleep(20)
        assert len(friend.timed_out_at) == 1
        assert other.timed_out_at == []
