"""A troupe: actors of one kind, in groups, who write into one journal what happens to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

from actors import Actor, Message, Ref, Reply, Restart, System, open_system
from tests.actors.cast import Boom

PATIENT = Restart(limit=1000)


def fall(_player: object = None) -> None:
    raise Boom


def nothing(_player: object = None) -> None:
    """Do as it says."""


@dataclass(frozen=True, slots=True)
class Say(Message["Player", str]):
    """Answered with the text, and which instance says it."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Do(Message["Player", None]):
    """Does something with the player, as a turn."""

    what: Callable[[Player], object]


@dataclass(frozen=True, slots=True)
class Keep(Message["Player", None]):
    """Kept for ever; something is done with the player when its asker goes."""

    at_the_end: Callable[[Player], None] = nothing


@dataclass(frozen=True, slots=True)
class Work(Message["Player", str]):
    """Answered by an async handler; what is awaited to tidy up cannot be cancelled."""

    seconds: float = 100
    tidying: float = 0


@dataclass(frozen=True, slots=True)
class Await(Message["Player", object]):
    """Answered by an async handler with what it has awaited."""

    what: Callable[[], Awaitable[object]]


@dataclass
class Troupe:
    """Who plays, what has happened, and who is to fail as it starts."""

    journal: list[str] = field(default_factory=list[str])
    # What happens as the next instances of somebody are made, and as they start.
    omens: dict[str, list[Callable[[], object]]] = field(default_factory=dict[str, Any])
    faults: dict[str, list[Callable[[], object]]] = field(default_factory=dict[str, Any])
    lives: dict[str, int] = field(default_factory=dict[str, int])
    instances: dict[str, Player] = field(default_factory=dict[str, "Player"])
    refs: dict[str, Ref[Player]] = field(default_factory=dict[str, Ref["Player"]])

    def __getitem__(self, name: str) -> Ref[Player]:
        return self.refs[name]

    async def hire(self, group: System, names: Iterable[str], restart: Restart = PATIENT) -> None:
        """Start one player for each name; the names in a text are its letters."""
        for name in names:
            player = partial(Player, self, name)
            self.refs[name] = await group.start(player, name=name, restart=restart)

    def note(self, text: str) -> None:
        self.journal.append(text)

    def restarts(self) -> str:
        """Name everybody who was restarted, in order of name, as often as it was."""
        return "".join(name * ref.statistics().restarts for name, ref in sorted(self.refs.items()))


@dataclass(kw_only=True)
class Company(Troupe):
    """A troupe with a system of its own."""

    system: System


def happen(what: dict[str, list[Callable[[], object]]], name: str) -> None:
    if what.get(name):
        what[name].pop(0)()


@asynccontextmanager
async def open_troupe(*, grace: float = 5.0) -> AsyncGenerator[Company]:
    async with open_system(grace=grace) as system:
        yield Company(system=system)


class Player(Actor):
    """A member of a troupe."""

    def __init__(self, troupe: Troupe, name: str) -> None:
        self.troupe = troupe
        self.name = name
        self.replies: list[Reply[None]] = []
        self.life = troupe.lives[name] = troupe.lives.get(name, 0) + 1
        happen(troupe.omens, name)

    def note(self, text: str) -> None:
        self.troupe.note(f"{self.name} {text}")

    def on_start(self) -> None:
        happen(self.troupe.faults, self.name)
        self.note("starts")
        self.troupe.instances[self.name] = self

    def on_stop(self) -> None:
        self.note("stops")

    @Say.handler
    def say(self, message: Say) -> str:
        self.note(f"says {message.text}")
        return f"{message.text}{self.life}"

    @Do.handler
    def do(self, message: Do) -> None:
        message.what(self)

    @Keep.deferred
    def keep(self, message: Keep, reply: Reply[None]) -> None:
        self.replies.append(reply)
        reply.on_abandoned(partial(message.at_the_end, self))

    @Work.handler
    async def work(self, message: Work) -> str:
        try:
            await trio.sleep(message.seconds)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(message.tidying)
            self.note("unwound")
        return f"done{self.life}"

    @Await.handler
    async def wait(self, message: Await) -> object:
        return await message.what()


FALL = Do(fall)
