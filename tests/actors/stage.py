"""A stage, where any groups of actors can be played with by a list of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
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
    # Seconds that its factory waits; None for a factory that is not async.
    wait: float | None = None


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

    def on_start(self) -> None:
        if isinstance(self.troupe, Play):
            self.troupe.begun[self.name] += 1
        super().on_start()


class Play(Troupe):
    """Does what events say, and keeps what is needed to judge it."""

    def __init__(self, audience: trio.Nursery) -> None:
        super().__init__()
        self.overlaps: list[str] = []
        self.told: dict[str, list[str]] = {}
        self.askers: list[tuple[str, str, Asker[Any]]] = []
        # How many instances began, and how many factories are at work; by name of player.
        self.begun = Counter[str]()
        self.making = Counter[str]()
        self.patient = set[str]()
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
                player: Callable[[], Watched | Awaitable[Watched]]
                player = partial(Watched, self, name)
                if member.wait is not None:
                    player = partial(self._make, name, member.wait)
                    self.patient.add(name)
                self.refs[name] = await group.start(player, name=name, restart=restart)

    async def _make(self, name: str, seconds: float) -> Watched:
        self.making[name] += 1
        assert self.making[name] == 1, "two factories of one actor at once"
        try:
            await trio.sleep(seconds)
            # One that is cancelled takes its time to unwind, and may give an instance in spite.
            with trio.CancelScope(shield=True):
                await trio.sleep(seconds / 2)
        finally:
            self.making[name] -= 1
        return Watched(self, name)

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
