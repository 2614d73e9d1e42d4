"""Members: actors of one kind, in groups, that record what happens to them in one journal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

from actors import Actor, Message, Ref, Reply, Restart, Strategy, System, open_system
from tests.actors.counter import Boom

UNLIMITED = Restart(limit=1000)


def crash(_member: object = None) -> None:
    raise Boom


def nothing(_member: object = None) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Say(Message["Member", str]):
    """Answered with the text, and the number of the instance."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Do(Message["Member", None]):
    """Calls a function with the member, as a turn."""

    what: Callable[[Member], object]


@dataclass(frozen=True, slots=True)
class Keep(Message["Member", None]):
    """Kept for ever; calls a function with the member when the ask is cancelled."""

    on_abandoned: Callable[[Member], None] = nothing


@dataclass(frozen=True, slots=True)
class Work(Message["Member", str]):
    """Answered by an async handler; its cleanup cannot be cancelled."""

    seconds: float = 100
    cleanup: float = 0


@dataclass(frozen=True, slots=True)
class Await(Message["Member", object]):
    """Answered by an async handler with what it has awaited."""

    what: Callable[[], Awaitable[object]]


@dataclass
class Members:
    """Refs and instances by name, what has happened, and what is to happen at the next starts."""

    journal: list[str] = field(default_factory=list[str])
    # What the next constructors and `on_start`s of a member call, by its name.
    in_constructor: dict[str, list[Callable[[], object]]] = field(default_factory=dict[str, Any])
    in_on_start: dict[str, list[Callable[[], object]]] = field(default_factory=dict[str, Any])
    # How many instances were made.
    made: dict[str, int] = field(default_factory=dict[str, int])
    instances: dict[str, Member] = field(default_factory=dict[str, "Member"])
    refs: dict[str, Ref[Member]] = field(default_factory=dict[str, Ref["Member"]])

    def __getitem__(self, name: str) -> Ref[Member]:
        return self.refs[name]

    async def start(
        self, group: System, names: Iterable[str], restart: Restart = UNLIMITED
    ) -> None:
        """Start one member for each name; the names in a text are its letters."""
        for name in names:
            member = partial(Member, self, name)
            self.refs[name] = await group.start(member, name=name, restart=restart)

    def note(self, text: str) -> None:
        self.journal.append(text)

    def restarts(self) -> str:
        """Return the name of each member as often as it was restarted, sorted."""
        return "".join(name * ref.statistics().restarts for name, ref in sorted(self.refs.items()))


@dataclass(kw_only=True)
class MembersInSystem(Members):
    """Members with a system of their own."""

    system: System


def happen(what: dict[str, list[Callable[[], object]]], name: str) -> None:
    if what.get(name):
        what[name].pop(0)()


@asynccontextmanager
async def open_members(*, grace: float = 5.0) -> AsyncGenerator[MembersInSystem]:
    async with open_system(grace=grace) as system:
        yield MembersInSystem(system=system)


class Member(Actor):
    """Notes what happens to it, and does what messages say."""

    def __init__(self, members: Members, name: str) -> None:
        self.members = members
        self.name = name
        self.replies: list[Reply[None]] = []
        self.number = members.made[name] = members.made.get(name, 0) + 1
        happen(members.in_constructor, name)

    def note(self, text: str) -> None:
        self.members.note(f"{self.name} {text}")

    def on_start(self) -> None:
        happen(self.members.in_on_start, self.name)
        self.note("starts")
        self.members.instances[self.name] = self

    def on_stop(self) -> None:
        self.note("stops")

    @Say.handler
    def say(self, message: Say) -> str:
        self.note(f"says {message.text}")
        return f"{message.text}{self.number}"

    @Do.handler
    def do(self, message: Do) -> None:
        message.what(self)

    @Keep.deferred
    def keep(self, message: Keep, reply: Reply[None]) -> None:
        self.replies.append(reply)
        reply.on_abandoned(partial(message.on_abandoned, self))

    @Work.handler
    async def work(self, message: Work) -> str:
        try:
            await trio.sleep(message.seconds)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(message.cleanup)
            self.note("unwound")
        return f"done{self.number}"

    @Await.handler
    async def wait(self, message: Await) -> object:
        return await message.what()


CRASH = Do(crash)


async def start_all(
    members: MembersInSystem, names: str = "abc", restart: Restart = UNLIMITED
) -> None:
    """Start members in one all_for_one group, and clear the journal."""
    await members.start(members.system.group(Strategy.ALL_FOR_ONE), names, restart)
    members.journal.clear()


def starts(names: str) -> list[str]:
    """Return the journal of members that start, one after the other."""
    return [f"{name} starts" for name in names]
