"""Groups of actors made from specifications, and a run of random events in them."""

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
from tests.actors.actors_in_groups import CRASH, Keep, Member, Members, Say, Work, crash
from tests.actors.counter import Asker


@dataclass(frozen=True)
class ActorSpec:
    """An actor to be started."""

    backoff: float
    limit: int
    # Seconds that its factory waits; None for a factory that is not async.
    wait: float | None = None


@dataclass(frozen=True)
class GroupSpec:
    """A group to be made."""

    strategy: Strategy
    members: Sequence[ActorSpec | GroupSpec]


@dataclass(frozen=True)
class Event:
    """An event: its kind, its actor or asker, and its duration if it takes time."""

    what: str
    target: int
    seconds: float


class Watched(Member):
    """A member that reports what it does after its successor was made."""

    def note(self, text: str) -> None:
        run = self.members
        if isinstance(run, Run) and self.number != run.made[self.name]:
            run.overlaps.append(f"{self.name} {text} in instance {self.number}")
        super().note(text)

    def on_start(self) -> None:
        if isinstance(self.members, Run):
            self.members.started[self.name] += 1
        super().on_start()


class Run(Members):
    """Runs the events, and records what is needed to check the outcome."""

    def __init__(self, outside: trio.Nursery) -> None:
        super().__init__()
        self.overlaps: list[str] = []
        self.sent: dict[str, list[str]] = {}
        self.askers: list[tuple[str, str, Asker[Any]]] = []
        # By name of member: instances that started, factories that run, async factories.
        self.started = Counter[str]()
        self.making = Counter[str]()
        self.async_made = set[str]()
        self._outside = outside
        self._numbers = count()
        self._faults = Counter[str]()

    async def start_all(self, group: System, spec: GroupSpec) -> None:
        """Start the actors and groups of a specification in a group."""
        for member in spec.members:
            if isinstance(member, GroupSpec):
                await self.start_all(group.group(member.strategy), member)
            else:
                name = f"p{len(self.refs)}"
                restart = Restart(member.limit, within=50, backoff=member.backoff)
                factory: Callable[[], Watched | Awaitable[Watched]]
                factory = partial(Watched, self, name)
                if member.wait is not None:
                    factory = partial(self._make, name, member.wait)
                    self.async_made.add(name)
                self.refs[name] = await group.start(factory, name=name, restart=restart)

    async def _make(self, name: str, seconds: float) -> Watched:
        self.making[name] += 1
        assert self.making[name] == 1, "two factories of one actor at once"
        try:
            await trio.sleep(seconds)
            # A cancelled factory takes time to unwind, and may still return an instance.
            with trio.CancelScope(shield=True):
                await trio.sleep(seconds / 2)
        finally:
            self.making[name] -= 1
        return Watched(self, name)

    def failed_starts(self, name: str) -> int:
        return self._faults[name] - len(self.in_on_start.get(name, ()))

    async def do(self, event: Event) -> None:
        name = f"p{event.target % len(self.refs)}"
        match event.what:
            case "sleep":
                await trio.sleep(event.seconds)
            case "settle":
                await settle()
            case "checkpoint":
                await trio.lowlevel.checkpoint()
            case "stop":
                self.refs[name].stop()
            case "cancel":
                for _, _, asker in self.askers[event.target : event.target + 1]:
                    asker.cancel()
            case "fail-to-start":
                self._faults[name] += 1
                self.in_on_start.setdefault(name, []).append(crash)
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
        self.sent.setdefault(name, []).append(text)

    def _ask(self, name: str, event: Event) -> None:
        text = str(next(self._numbers))
        messages: dict[str, Message[Member, Any]] = {
            "ask": Say(text),
            "work": Work(event.seconds, cleanup=event.seconds / 2),
            "keep": Keep(),
            "crash-if-cancelled": Keep(crash),
            "crash": CRASH,
        }
        asker = Asker(self._outside, self.refs[name], messages[event.what])
        self.askers.append((text, event.what, asker))
