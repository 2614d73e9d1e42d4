"""Ten times as many actors in a group make ten times the work, whatever happens to them.

Work is counted in calls of Python functions: the same on every machine. If something were done for
each pair of actors, ten times as many would make a hundred times the work.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import pytest
import trio

from actors import Deadlock, Restart, Strategy, System
from actors.testing import run_seeded, settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Member,
    MembersInSystem,
    Say,
    Work,
    open_members,
)

FEW, MANY = 20, 200
STRATEGIES = list(Strategy)
DEPENDENT = [Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE]
SOON = Restart(limit=1000, backoff=1, jitter=0)

Scene = Callable[[MembersInSystem, System, int], Coroutine[Any, Any, None]]


@contextmanager
def counted(calls: list[int]) -> Generator[None]:
    """Count the calls of Python functions; going on after an await or a yield counts, too."""

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        calls[0] += event == "call"

    calls[:] = [0]
    outer = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(outer)


def work(scene: Scene, strategy: Strategy, size: int) -> int:
    """Return the work that a scene makes in a group of this size."""
    calls = [0]

    async def scenario() -> None:
        async with open_members(grace=10_000) as members:
            with counted(calls):
                await scene(members, members.system.group(strategy), size)

    logging.disable(logging.CRITICAL)
    try:
        run_seeded(0, scenario)
    finally:
        logging.disable(logging.NOTSET)
    return calls[0]


def assert_linear(scene: Scene, strategy: Strategy) -> None:
    growth = work(scene, strategy, MANY) / work(scene, strategy, FEW)
    assert growth < 1.5 * MANY / FEW


def names(size: int) -> list[str]:
    return [str(number) for number in range(size)]


async def start(members: MembersInSystem, group: System, size: int) -> None:
    """Start this many members; the first takes a second to restart."""
    for name in names(size):
        await members.start(group, [name], SOON if name == "0" else Restart(limit=1000))


async def only_start(members: MembersInSystem, group: System, size: int) -> None:
    await start(members, group, size)


async def start_all_at_once(members: MembersInSystem, group: System, size: int) -> None:
    """Start members while the first is being restarted."""
    await members.start(group, ["first"], SOON)
    await members["first"].tell(CRASH)
    await settle()
    async with trio.open_nursery() as nursery:
        for name in names(size):
            nursery.start_soon(members.start, group, [name])


async def fall_first(members: MembersInSystem, group: System, size: int) -> None:
    await start(members, group, size)
    await members["0"].tell(CRASH)
    await trio.sleep(10)
    assert members["0"].statistics().restarts == 1


async def fall_last(members: MembersInSystem, group: System, size: int) -> None:
    await start(members, group, size)
    await members[str(size - 1)].tell(CRASH)
    await trio.sleep(10)
    assert members[str(size - 1)].statistics().restarts == 1


async def fall_in_a_group_of_groups(members: MembersInSystem, group: System, size: int) -> None:
    await start(members, group, 1)
    for name in names(size):
        inner = group.group(Strategy.ALL_FOR_ONE)
        await members.start(inner, [f"{name}a", f"{name}b"])
    await members["0"].tell(CRASH)
    await trio.sleep(10)


async def fall_at_work(members: MembersInSystem, group: System, size: int) -> None:
    """Be interrupted in async handlers, each of which takes longer to unwind than the last."""
    await start(members, group, size)
    for number, name in enumerate(names(size)):
        await members[name].tell(Work(cleanup=number))
    await settle()
    await members["0"].tell(CRASH)
    await trio.sleep(10_000)


async def fall_and_load(members: MembersInSystem, group: System, size: int) -> None:
    """Restart one after the other, because the factories take time."""

    async def load(name: str) -> Member:
        await trio.sleep(1)
        return Member(members, name)

    for name in names(size):
        members.refs[name] = await group.start(partial(load, name), name=name)
    await members["0"].tell(CRASH)
    await trio.sleep(10_000)


async def ask_while_down(members: MembersInSystem, group: System, size: int) -> None:
    """Ask the last, from an async handler, while all wait for the first."""
    await start(members, group, size)
    await members.start(members.system, ["asker"])
    await members["0"].tell(CRASH)
    await settle()
    await members["asker"].ask(Await(lambda: members[str(size - 1)].ask(Say())))


async def ask_in_circles(members: MembersInSystem, group: System, size: int) -> None:
    """Ask a member that waits for this one to unwind, as all others do."""
    circles: list[str] = []

    async def clean_up() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                try:
                    await members["0"].ask(Say())
                except Deadlock as deadlock:
                    circles.append(str(deadlock))

    await start(members, group, size)
    await members[str(size // 2)].tell(Await(clean_up))
    await settle()
    await members["0"].tell(CRASH)
    await trio.sleep(10)
    assert circles == [f"{size // 2} -> 0 -> {size // 2}"]


async def stop(members: MembersInSystem, group: System, size: int) -> None:
    await start(members, group, size)
    await group.stop()


async def stop_one_by_one(members: MembersInSystem, group: System, size: int) -> None:
    await start(members, group, size)
    for ref in members.refs.values():
        ref.stop()
        await ref.wait_stopped()


async def stop_while_down(members: MembersInSystem, group: System, size: int) -> None:
    await start(members, group, size)
    await members["0"].tell(CRASH)
    await settle()
    await group.stop()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize(
    "scene",
    [
        only_start,
        start_all_at_once,
        fall_first,
        fall_last,
        fall_in_a_group_of_groups,
        fall_at_work,
        fall_and_load,
        ask_while_down,
        stop,
        stop_one_by_one,
        stop_while_down,
    ],
)
def test_work_is_linear_in_the_size_of_a_group(scene: Scene, strategy: Strategy) -> None:
    assert_linear(scene, strategy)


@pytest.mark.parametrize("strategy", DEPENDENT, ids=str)
def test_finding_a_deadlock_takes_time_linear_in_the_size_of_the_group(strategy: Strategy) -> None:
    assert_linear(ask_in_circles, strategy)
