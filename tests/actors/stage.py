"""A stage, where any groups of actors can be played with by a list of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import trio

from actors import ActorStopped, Message, Restart, Strategy, System
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.troupe import FALL, Keep, Player, Say, Troupe, Work, fall


@dataclass(frozen=True)
class Role:
    """An actor to be."""

    backoff: float
    limit: int


@dataclass(frozen=True)
class Cast:
    """A group to be."""

    strategy: Strategy
    members: Sequence[Role | Cast]


@dataclass(frozen=True)
class Event:
    """What happens, to which actor or asker, and for how long if it takes time."""

    what: str
    whom: int
    seconds: float


class Watched(Player):
    """A player who is seen when it does something after its successor was made."""

    def note(self, text: str) -> None:
        troupe = self.troupe
        if isinstance(troupe, Play) and self.life != troupe.lives[self.name]:
            troupe.overlaps.append(f"{self.name} {text} in life {self.life}")
        super().note(text)


class Play(Troupe):
    """Does what events say, and keeps what is needed to judge it."""

    def __init__(self, audience: trio.Nursery) -> None:
        super().__init__()
        self.overlaps: list[str] = []
        self.told: dict[str, list[str]] = {}
        self.askers: list[tuple[str, str, Asker[Any]]] = []
        self._audience = audience
        self._numbers = count()
        self._faults = Counter[str]()

    async def hire_all(self, group: System, cast: Cast) -> None:
        """Start a group in a group."""
        for member in cast.members:
            if isinstance(member, Cast):
                await self.hire_all(group.group(member.strategy), member)
            else:
                name = f"p{len(self.refs)}"
                restart = Restart(member.limit, within=50, backoff=member.backoff)
                player = partial(Watched, self, name)
                self.refs[name] = await group.start(player, name=name, restart=restart)

    def failed_starts(self, name: str) -> int:
        return self._faults[name] - len(self.faults.get(name, ()))

    async def perform(self, event: Event) -> None:
        name = f"p{event.whom % len(self.refs)}"
        match event.what:
            case "sleep":
                await trio.sleep(event.seconds)
            case "settle":
                await settle()
            case "pass":
                await trio.lowlevel.checkpoint()
            case "stop":
                self.refs[name].stop()
            case "leave":
                for _, _, asker in self.askers[event.whom : event.whom + 1]:
                    asker.leave()
            case "fail-to-start":
                self._faults[name] += 1
                self.faults.setdefault(name, []).append(fall)
            case "tell":
                self._tell(name)
            case _:
                self._ask(name, event)

    def _tell(self, name: str) -> None:
        text = str(next(self._numbers))
        try:
            self.refs[name].tell_nowait(Say(text))
        except ActorStopped:
            return
        self.told.setdefault(name, []).append(text)

    def _ask(self, name: str, event: Event) -> None:
        text = str(next(self._numbers))
        messages: dict[str, Message[Player, Any]] = {
            "ask": Say(text),
            "work": Work(event.seconds, tidying=event.seconds / 2),
            "keep": Keep(),
            "trap": Keep(fall),
            "fall": FALL,
        }
        asker = Asker(self._audience, self.refs[name], messages[event.what])
        self.askers.append((text, event.what, asker))
