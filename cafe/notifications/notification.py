"""A notification: its states, its schedule of retries, and its place among its subject's.

Rule: pure; time is passed in. The two tables below *are* the state machine and the schedule.

A notification is about one subject, which is an order or a booking: that is its topic. The
notifications of a subject are delivered in the order of its events: only the first of them that is
not delivered is ever attempted, the others are held behind it. After the last failed attempt it is
set aside, and holds those behind it until an operator retries it.

    (new) --note--> due --deliver--> delivered         all before it are delivered
    (new) --hold--> held --advance--> due              the one before it is delivered
    due --fail--> retrying --deliver--> delivered
                  retrying --fail--> retrying          after the next pause of the schedule
                  retrying --set aside--> set_aside    the schedule is over
    retrying, set_aside --retry--> due                 an operator retries it at once
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple


class Topic(StrEnum):
    """The kind of subject of a notification; each topic has its own receiver."""

    ORDER = "order"
    BOOKING = "booking"


class State(StrEnum):
    """The states of a notification."""

    HELD = "held"
    """One before it, of the same subject, is not delivered."""
    DUE = "due"
    """It has not been attempted yet, or an operator retries it at once."""
    RETRYING = "retrying"
    """An attempt has failed, and another one is scheduled."""
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
"""The states of notifications that are not delivered."""

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
"""The back-off in seconds before each attempt: from when it became due, then from the last failure.
"""


class NotRetriedError(Exception):
    """It is delivered, or held behind another one: there is nothing to retry."""

    def __init__(self, state: State) -> None:
        """Carry the state, so that a refusal can name it."""
        super().__init__(f"a notification that is {state} is not retried")
        self.state = state


Subject = tuple[Topic, str]
"""A topic, and the id of the order or the booking."""


class StatusChange(NamedTuple):
    """A change of status of an order or a booking, from the log."""

    position: int
    """The position of its event in the log."""
    topic: Topic
    subject_id: str
    details: str
    """Other members of the notification's body: a JSON object."""
    status: str
    at: float

    @property
    def event_id(self) -> str:
        """A stable id, which does not reveal the subject's.

        It differs from those of another database with the same position.
        """
        content = f"{self.subject_id} {self.status} {self.at!r}".encode()
        return f"evt_{self.position}_{blake2b(content, digest_size=6).hexdigest()}"


class Notification(NamedTuple):
    """One notification, at one moment; a change makes a new one."""

    event_id: str
    """The same in each attempt, so that the receiver can recognize duplicates."""
    position: int
    topic: Topic
    subject_id: str
    """The id of the order or the booking."""
    sequence: int
    """1, 2, 3 and so on for each subject."""
    details: str
    """Other members of the body: a JSON object."""
    status: str
    """The status of the subject after the event."""
    occurred_at: float
    state: State
    attempts: int = 0
    """The number of all attempts."""
    failures: int = 0
    """Failed attempts since it became due, or an operator retried it: its place in the schedule."""
    due_at: float | None = None
    """When it is attempted next; None if no attempt is scheduled."""
    delivered_at: float | None = None

    @property
    def subject(self) -> Subject:
        """The order or booking that it is about."""
        return self.topic, self.subject_id


class Attempt(NamedTuple):
    """One attempt to deliver a notification."""

    event_id: str
    number: int
    """1, 2, 3 and so on for each notification."""
    at: float
    outcome: str
    """The HTTP status of the answer, or a word if there was none in time."""
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether the receiver has accepted it: by any 2xx, and by no other answer."""
        return len(self.outcome) == len("2xx") and self.outcome.startswith("2")


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: State | None
    notification: Notification
    at: float
    attempt: Attempt | None = None


class Outbox:
    """Some notifications: of each subject the last one, or some each with the next one."""

    def __init__(self, notifications: Iterable[Notification]) -> None:
        self.by_id: dict[str, Notification] = {}
        self._ids: dict[tuple[Subject, int], str] = {}
        self._last: dict[Subject, int] = {}
        for one in notifications:
            self._keep(one)

    def note(self, event: StatusChange, now: float) -> list[Change]:
        """Add a notification after those of its subject."""
        subject = event.topic, event.subject_id
        last = self._last.get(subject, 0)
        is_held = last > 0 and self._at(subject, last).state is not State.DELIVERED
        action = Action.HOLD if is_held else Action.NOTE
        new = Notification(
            event.event_id,
            event.position,
            event.topic,
            event.subject_id,
            last + 1,
            event.details,
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
            return [delivered, *self._advance(one.subject, one.sequence + 1, now)]
        one = one._replace(failures=one.failures + 1)
        if one.failures >= len(PAUSES):
            return [self._move(one, Action.SET_ASIDE, now, attempt)]
        return [self._move(one, Action.FAIL, now, attempt, due_at=now + PAUSES[one.failures])]

    def retry(self, event_id: str, now: float) -> list[Change]:
        """Make a notification due at once, at the start of the schedule.

        Raises NotRetriedError.
        """
        one = self.by_id[event_id]
        if one.state is State.DUE:
            return []
        if (one.state, Action.RETRY) not in TRANSITIONS:
            raise NotRetriedError(one.state)
        one = one._replace(failures=0)
        return [self._move(one, Action.RETRY, now, due_at=now + PAUSES[0])]

    def _advance(self, subject: Subject, sequence: int, now: float) -> list[Change]:
        if (subject, sequence) not in self._ids:
            return []
        behind = self._at(subject, sequence)
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

    def _at(self, subject: Subject, sequence: int) -> Notification:
        return self.by_id[self._ids[subject, sequence]]

    def _keep(self, one: Notification) -> None:
        self.by_id[one.event_id] = one
        self._ids[one.subject, one.sequence] = one.event_id
        self._last[one.subject] = max(one.sequence, self._last.get(one.subject, 0))
