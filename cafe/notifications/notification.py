"""A notification: its states, its schedule, and its place among those of its order.

Rule: pure; time is passed in. The two tables below *are* the state machine and the schedule.

An order's notifications are delivered in the order of its events: only the first of them that is
not delivered is ever attempted, the others are held behind it. After the last failed attempt it is
set aside, and holds those behind it until an operator has it retried.

    (new) --note--> due --deliver--> delivered         nothing is before it
    (new) --hold--> held --advance--> due              the one before it is delivered
    due --fail--> retrying --deliver--> delivered
                  retrying --fail--> retrying          after the next pause of the schedule
                  retrying --set aside--> set_aside    the schedule is over
    retrying, set_aside --retry--> due                 an operator wants it at once
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple


class State(StrEnum):
    """Where a notification stands."""

    HELD = "held"
    """One before it, of the same order, is not delivered."""
    DUE = "due"
    """It has not been attempted yet, or an operator wants it at once."""
    RETRYING = "retrying"
    """It was attempted in vain, and will be again."""
    DELIVERED = "delivered"
    SET_ASIDE = "set_aside"
    """All attempts of the schedule have failed."""


class Action(StrEnum):
    """What can happen to a notification."""

    NOTE = "note"
    HOLD = "hold"
    ADVANCE = "advance"
    DELIVER = "deliver"
    FAIL = "fail"
    SET_ASIDE = "set aside"
    RETRY = "retry"


BACKLOG: Final = (State.HELD, State.DUE, State.RETRYING, State.SET_ASIDE)
"""All that are not delivered."""

TRANSITIONS: Final[dict[tuple[State | None, Action], State]] = {
    (None, Action.NOTE): State.DUE,
    (None, Action.HOLD): State.HELD,
    (State.HELD, Action.ADVANCE): State.DUE,
    (State.DUE, Action.DELIVER): State.DELIVERED,
    (State.DUE, Action.FAIL): State.RETRYING,
    (State.RETRYING, Action.DELIVER): State.DELIVERED,
    (State.RETRYING, Action.FAIL): State.RETRYING,
    (State.RETRYING, Action.SET_ASIDE): State.SET_ASIDE,
    (State.RETRYING, Action.RETRY): State.DUE,
    (State.SET_ASIDE, Action.RETRY): State.DUE,
}

PAUSES: Final = (0.0, 5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0)
"""Seconds before each attempt: from when it became due, and then from the failure before."""


class NotRetriedError(Exception):
    """It is delivered, or held behind another one: there is nothing to retry."""

    def __init__(self, state: State) -> None:
        """Carry the state, so that a refusal can name it."""
        super().__init__(f"a notification that is {state} is not retried")
        self.state = state


class StatusChange(NamedTuple):
    """A change of status of a basket's order, as the log tells of it."""

    position: int
    """The event's in the log."""
    order_id: str
    number: int
    """The order's ticket number."""
    status: str
    at: float

    @property
    def event_id(self) -> str:
        """A stable id, without the order's. Another database may have the same position."""
        content = f"{self.order_id} {self.status} {self.at!r}".encode()
        return f"evt_{self.position}_{blake2b(content, digest_size=6).hexdigest()}"


class Notification(NamedTuple):
    """One notification, at one moment; a change makes a new one."""

    event_id: str
    """The same at each attempt, so that the receiver can tell a repetition."""
    position: int
    order_id: str
    sequence: int
    """1, 2, 3 and so on for each order."""
    number: int
    status: str
    """That of the order, after the event."""
    occurred_at: float
    state: State
    attempts: int = 0
    """All there were."""
    failures: int = 0
    """Since it became due, or an operator had it retried: its place in the schedule."""
    due_at: float | None = None
    """When it is attempted next; None if it is not."""
    delivered_at: float | None = None


class Attempt(NamedTuple):
    """One attempt to deliver a notification."""

    event_id: str
    number: int
    """1, 2, 3 and so on for each notification."""
    at: float
    outcome: str
    """The HTTP status of the answer, or a word for why there was none in time."""
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken it: with any 2xx, and nothing else."""
        return len(self.outcome) == len("2xx") and self.outcome.startswith("2")


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: State | None
    notification: Notification
    at: float
    attempt: Attempt | None = None


def number_in(data: str) -> int | None:
    """Return the ticket number in the `data` of an event; None where it is no basket's order.

    It is JSON with the members `number` and `account_id` where it is one.
    """
    match json.loads(data):
        case {"number": int(number), "account_id": _}:
            return number
        case _:
            return None


class Outbox:
    """Some notifications: of each order the last one, or one with the one behind it."""

    def __init__(self, notifications: Iterable[Notification]) -> None:
        self.by_id: dict[str, Notification] = {}
        self._ids: dict[tuple[str, int], str] = {}
        self._last: dict[str, int] = {}
        for one in notifications:
            self._keep(one)

    def note(self, event: StatusChange, now: float) -> list[Change]:
        """Add a notification, behind those of its order."""
        last = self._last.get(event.order_id, 0)
        is_held = last > 0 and self._at(event.order_id, last).state is not State.DELIVERED
        action = Action.HOLD if is_held else Action.NOTE
        new = Notification(
            event.event_id,
            event.position,
            event.order_id,
            last + 1,
            event.number,
            event.status,
            event.at,
            TRANSITIONS[None, action],
            due_at=None if is_held else now + PAUSES[0],
        )
        self._keep(new)
        return [Change(action, None, new, now)]

    def attempted(self, attempt: Attempt, now: float) -> list[Change]:
        """Apply the outcome of an attempt, unless it was applied before."""
        one = self.by_id.get(attempt.event_id)
        if one is None or attempt.number <= one.attempts:
            return []
        one = one._replace(attempts=attempt.number)
        if attempt.is_success:
            delivered = self._move(one, Action.DELIVER, now, attempt, delivered_at=now)
            return [delivered, *self._advance(one.order_id, one.sequence + 1, now)]
        one = one._replace(failures=one.failures + 1)
        if one.failures >= len(PAUSES):
            return [self._move(one, Action.SET_ASIDE, now, attempt)]
        return [self._move(one, Action.FAIL, now, attempt, due_at=now + PAUSES[one.failures])]

    def retry(self, event_id: str, now: float) -> list[Change]:
        """Make a notification due at once, with the whole schedule before it.

        Raises NotRetriedError.
        """
        one = self.by_id[event_id]
        if one.state is State.DUE:
            return []
        if (one.state, Action.RETRY) not in TRANSITIONS:
            raise NotRetriedError(one.state)
        one = one._replace(failures=0)
        return [self._move(one, Action.RETRY, now, due_at=now + PAUSES[0])]

    def _advance(self, order_id: str, sequence: int, now: float) -> list[Change]:
        if (order_id, sequence) not in self._ids:
            return []
        behind = self._at(order_id, sequence)
        return [self._move(behind, Action.ADVANCE, now, due_at=now + PAUSES[0])]

    def _move(
        self,
        one: Notification,
        action: Action,
        now: float,
        attempt: Attempt | None = None,
        *,
        due_at: float | None = None,
        delivered_at: float | None = None,
    ) -> Change:
        state = TRANSITIONS[one.state, action]
        moved = one._replace(state=state, due_at=due_at, delivered_at=delivered_at)
        self._keep(moved)
        return Change(action, one.state, moved, now, attempt)

    def _at(self, order_id: str, sequence: int) -> Notification:
        return self.by_id[self._ids[order_id, sequence]]

    def _keep(self, one: Notification) -> None:
        self.by_id[one.event_id] = one
        self._ids[one.order_id, one.sequence] = one.event_id
        self._last[one.order_id] = max(one.sequence, self._last.get(one.order_id, 0))
