"""A letter: its states, its schedule of retries, and its place among those to the same mailbox.

Rule: pure; time is passed in. The table and the numbers below *are* the state machine, the schedule
and the limit.

Letters to one mailbox are sent one after the other, in the order of the bookings' events: one of
them is open at a time, the others are held behind it. So the letters of one booking arrive in
order, and no mailbox gets more than MOST_AN_HOUR: the next one becomes due when the hour is over.
When a letter is sent or set aside, the next one becomes due.

    (new) --add--> due                                 no other one to the mailbox is open
    (new) --hold--> held --advance--> due              the one before it is sent or set aside
    due, retrying --send--> sent                       the server has accepted it
    due, retrying --fail--> retrying                   after the next pause of the schedule
    due, retrying --set aside--> set_aside             refused for good, or timed out
    retrying, set_aside --retry--> due                 a manager retries it at once
    set_aside --hold--> held                           the same, but another one is open
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple


class Kind(StrEnum):
    """The subject of a letter."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class State(StrEnum):
    """The states of a letter."""

    HELD = "held"
    """Another letter to the same mailbox is open."""
    DUE = "due"
    """It has not been attempted yet, or a manager retries it at once."""
    RETRYING = "retrying"
    """An attempt has failed, and another one is scheduled."""
    SENT = "sent"
    SET_ASIDE = "set_aside"
    """It was refused for good, or its attempts have timed out."""


class Action(StrEnum):
    """What can happen to a letter."""

    ADD = "add"
    HOLD = "hold"
    ADVANCE = "advance"
    SEND = "send"
    FAIL = "fail"
    SET_ASIDE = "set aside"
    RETRY = "retry"


OPEN: Final = (State.DUE, State.RETRYING)
BACKLOG: Final = (State.HELD, State.DUE, State.RETRYING, State.SET_ASIDE)
"""The states of letters that are not sent."""

TRANSITIONS: Final[dict[tuple[State | None, Action], State]] = {
    (None, Action.ADD): State.DUE,
    (None, Action.HOLD): State.HELD,
    (State.HELD, Action.ADVANCE): State.DUE,
    (State.DUE, Action.SEND): State.SENT,
    (State.DUE, Action.FAIL): State.RETRYING,
    (State.DUE, Action.SET_ASIDE): State.SET_ASIDE,
    (State.RETRYING, Action.SEND): State.SENT,
    (State.RETRYING, Action.FAIL): State.RETRYING,
    (State.RETRYING, Action.SET_ASIDE): State.SET_ASIDE,
    (State.RETRYING, Action.RETRY): State.DUE,
    (State.SET_ASIDE, Action.RETRY): State.DUE,
    (State.SET_ASIDE, Action.HOLD): State.HELD,
}

HOUR: Final = 3_600.0
DAY: Final = 24 * HOUR
PAUSES: Final = (60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0)
"""The back-off in seconds after each failure; after the last, always the last."""
LEAST: Final = HOUR
"""The least time for which a letter is attempted: a server may refuse each sender's first attempts
for some minutes (greylisting), and a letter may have been held for more than a day."""
MOST_AN_HOUR: Final = 5
"""The most letters to one mailbox in an hour."""


class NotRetriedError(Exception):
    """It is sent, or held behind another one: there is nothing to retry."""

    def __init__(self, state: State) -> None:
        """Carry the state, so that a refusal can name it."""
        super().__init__(f"a letter that is {state} is not retried")
        self.state = state


class Letter(NamedTuple):
    """One letter, at one moment; a change makes a new one."""

    letter_id: str
    position: int
    """The position of the booking's event about which it is."""
    booking_id: str
    kind: Kind
    address: str
    mailbox: str
    """The address in lower case, to which the limit and the order apply."""
    message_id: str
    """The same in each attempt, so that a mail reader can show duplicates once."""
    created_at: float
    state: State
    attempts: int = 0
    """The number of all attempts."""
    failures: int = 0
    """Failed attempts since it became due, or a manager retried it: its place in the schedule."""
    due_at: float | None = None
    """When it is attempted next; None if no attempt is scheduled."""
    until: float | None = None
    """The time after which it is not attempted again; None unless it is open."""
    ended_at: float | None = None
    """When it was sent or set aside."""


class Written(NamedTuple):
    """A letter, and its whole message."""

    letter: Letter
    content: str


class Answer(NamedTuple):
    """The outcome of an attempt to send a letter."""

    outcome: str
    """The SMTP status of the last answer, or a word for any other outcome."""
    said: str | None = None
    """The server's text if it refused the letter."""


class Attempt(NamedTuple):
    """One attempt to send a letter."""

    letter_id: str
    number: int
    """1, 2, 3 and so on for each letter."""
    at: float
    outcome: str
    said: str | None
    """Both as in Answer."""
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether the letter is sent, or written to a file."""
        return self.outcome == WRITTEN or _is_status(self.outcome, "2")

    @property
    def is_final(self) -> bool:
        """Whether the letter was refused for good."""
        return _is_status(self.outcome, "5")


WRITTEN: Final = "written"
"""The outcome of a letter that was written to a file."""


def _is_status(outcome: str, first: str) -> bool:
    return len(outcome) == len("250") and outcome.isdigit() and outcome.startswith(first)


class Change(NamedTuple):
    """One transition that has happened."""

    action: Action
    before: State | None
    letter: Letter
    at: float
    attempt: Attempt | None = None


def new_letter(
    position: int, booking_id: str, kind: Kind, at: float, *, address: str, domain: str
) -> Letter:
    """Return a letter that is not in any outbox yet.

    Its ids are stable, and differ from those of another database with the same position. `domain`
    is the sender's.
    """
    content = f"{booking_id} {kind} {at!r}".encode()
    letter_id = f"let_{position}_{blake2b(content, digest_size=6).hexdigest()}"
    message_id = f"<{letter_id}@{domain}>"
    mailbox = address.lower()
    return Letter(
        letter_id, position, booking_id, kind, address, mailbox, message_id, at, State.HELD
    )


class Outbox:
    """Some letters, and for each of their mailboxes the open one and the first one held."""

    def __init__(self, letters: Iterable[Letter], sent: Mapping[str, Iterable[float]]) -> None:
        """`sent` has the times at which the last letters to each mailbox were sent."""
        self.by_id: dict[str, Letter] = {}
        self._open: dict[str, str] = {}
        self._sent = {mailbox: sorted(times) for mailbox, times in sent.items()}
        for one in letters:
            self._keep(one)

    def add(self, letter: Letter, now: float) -> Change:
        """Add a letter, behind those to its mailbox."""
        if letter.mailbox in self._open:
            return self._move(letter, None, Action.HOLD, now)
        return self._make_due(letter, None, Action.ADD, now)

    def attempted(self, attempt: Attempt, now: float) -> list[Change]:
        """Apply the outcome of an attempt, unless it was applied before."""
        one = self.by_id.get(attempt.letter_id)
        if one is None or attempt.number <= one.attempts:
            return []
        one = one._replace(attempts=attempt.number)
        if attempt.is_success:
            self._sent[one.mailbox] = [*self._sent.get(one.mailbox, ()), now]
            return [self._end(one, Action.SEND, now, attempt), *self._advance(one.mailbox, now)]
        due_at = now + PAUSES[min(one.failures, len(PAUSES) - 1)]
        one = one._replace(failures=one.failures + 1)
        if attempt.is_final or one.until is None or due_at > one.until:
            aside = self._end(one, Action.SET_ASIDE, now, attempt)
            return [aside, *self._advance(one.mailbox, now)]
        waiting = one._replace(due_at=due_at)
        return [self._move(waiting, one.state, Action.FAIL, now, attempt)]

    def retry(self, letter_id: str, now: float) -> list[Change]:
        """Make a letter due at once, or as soon as the limits allow, and retry it for a day.

        Raises NotRetriedError.
        """
        one = self.by_id[letter_id]
        if one.state is State.DUE:
            return []
        if (one.state, Action.RETRY) not in TRANSITIONS:
            raise NotRetriedError(one.state)
        one = one._replace(failures=0, ended_at=None)
        if self._open.get(one.mailbox, letter_id) != letter_id:
            return [self._move(one, one.state, Action.HOLD, now)]
        return [self._make_due(one, one.state, Action.RETRY, now)]

    def _advance(self, mailbox: str, now: float) -> list[Change]:
        held = [
            one for one in self.by_id.values() if one.state is State.HELD and one.mailbox == mailbox
        ]
        if not held or mailbox in self._open:
            return []
        first = min(held, key=lambda one: one.position)
        return [self._make_due(first, State.HELD, Action.ADVANCE, now)]

    def _make_due(self, one: Letter, before: State | None, action: Action, now: float) -> Change:
        since = now if action is Action.RETRY else one.created_at
        due_at = self._free_at(one.mailbox, now)
        until = max(since + DAY, due_at + LEAST)
        return self._move(one._replace(due_at=due_at, until=until), before, action, now)

    def _free_at(self, mailbox: str, now: float) -> float:
        """Return when the limit allows the next letter to a mailbox."""
        last = self._sent.get(mailbox, ())[-MOST_AN_HOUR:]
        return max(now, last[0] + HOUR) if len(last) == MOST_AN_HOUR else now

    def _end(self, one: Letter, action: Action, now: float, attempt: Attempt) -> Change:
        ended = one._replace(due_at=None, until=None, ended_at=now)
        return self._move(ended, one.state, action, now, attempt)

    def _move(
        self,
        one: Letter,
        before: State | None,
        action: Action,
        now: float,
        attempt: Attempt | None = None,
    ) -> Change:
        moved = one._replace(state=TRANSITIONS[before, action])
        self._keep(moved)
        return Change(action, before, moved, now, attempt)

    def _keep(self, one: Letter) -> None:
        self.by_id[one.letter_id] = one
        if one.state in OPEN:
            self._open[one.mailbox] = one.letter_id
        elif self._open.get(one.mailbox) == one.letter_id:
            del self._open[one.mailbox]
