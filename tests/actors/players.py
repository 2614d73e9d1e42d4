"""Actors whose async handler does what it is told, to wait for each other in every way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from actors import Actor, Message, Ref, Reply, System

Deed = Callable[["Player"], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Perform(Message["Player", str]):
    """Answered by an async handler with what the deed gives."""

    deed: Deed


@dataclass(frozen=True, slots=True)
class Note(Message["Player", str]):
    """Answered at once."""


@dataclass(frozen=True, slots=True)
class Keep(Message["Player", str]):
    """Kept, until somebody says Give."""


@dataclass(frozen=True, slots=True)
class Give(Message["Player", None]):
    """Answers everything that is kept."""


class Player(Actor):
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.kept: list[Reply[str]] = []

    @Perform.handler
    async def perform(self, message: Perform) -> str:
        return await message.deed(self)

    @Note.handler
    def note(self, _message: Note) -> str:
        return "noted"

    @Keep.deferred
    def keep(self, _message: Keep, reply: Reply[str]) -> None:
        self.kept.append(reply)

    @Give.handler
    def give(self, _message: Give) -> None:
        for reply in self.kept:
            reply.send("given")


class Stage:
    """The players by name, and a nursery that is none of theirs."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.players: dict[str, Ref[Player]] = {}
        self.heard: list[str] = []

    async def enter(self, system: System, *names: str, mailbox: int = 16) -> list[Ref[Player]]:
        for name in names:
            player = await system.start(partial(Player, self), name=name, mailbox=mailbox)
            self.players[name] = player
        return [self.players[name] for name in names]

    def asks(self, first: str, *rest: str) -> Perform:
        """Have each on the path ask the next; the last is asked for a note."""

        async def deed(me: Player) -> str:
            following = self.asks(*rest) if rest else Note()
            return await me.stage.players[first].ask(following)

        return Perform(deed)

    async def hears(self, answer: Awaitable[str]) -> None:
        """Wait for an answer in the background."""
        self.heard.append(await answer)
