"""The queries of letters: for a turn, for the sending, and for managers.

Rule: queries only, each of a bounded number of rows, by an index; `letter.py` decides what a row
means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Executable, Select, delete, func, select, update

from cafe.ledger.sending import Due
from cafe.ledger.tables import events
from cafe.letters.letter import (
    BACKLOG,
    HOUR,
    MOST_AN_HOUR,
    OPEN,
    PAUSES,
    Attempt,
    Letter,
    Outbox,
    State,
    Written,
)
from cafe.letters.tables import attempt_of, attempts, contents, followed, letter_of
from cafe.letters.tables import letters as table

LAST_ATTEMPTS: Final = 30
"""The most attempts that are shown of each letter: more than there are in a day."""

_columns = table.c


@dataclass(frozen=True, slots=True)
class Kept:
    """The state from which a turn starts."""

    position: int
    """The position up to which events are applied."""
    outbox: Outbox


def load_position(connection: Connection) -> int:
    """Return the position up to which the log was followed."""
    return connection.execute(select(followed.c.position)).scalar() or 0


def begin_following(connection: Connection) -> int:
    """Return the stored position; the first time, store the position of the last event."""
    if connection.execute(select(followed.c.position)).first() is None:
        last = connection.execute(select(func.max(events.c.position))).scalar() or 0
        connection.execute(followed.insert().values(id=1, position=last))
    return load_position(connection)


def look_up(
    connection: Connection, mailboxes: Collection[str] = (), letter_ids: Collection[str] = ()
) -> Kept:
    """Return the outbox of these letters and mailboxes, and the position."""
    named = select(*_columns).where(_columns.letter_id.in_(letter_ids))
    found = [letter_of(row) for row in connection.execute(named)] if letter_ids else []
    sent: dict[str, list[float]] = {}
    for mailbox in {*mailboxes, *(one.mailbox for one in found)}:
        for states in (OPEN, (State.HELD,)):
            first = _of_mailbox(mailbox, states).order_by(_columns.position).limit(1)
            found += [letter_of(row) for row in connection.execute(first)]
        sent[mailbox] = _last_sent(connection, mailbox)
    return Kept(load_position(connection), Outbox(found, sent))


def _of_mailbox(mailbox: str, states: Collection[State]) -> Select[Any]:
    values = [state.value for state in states]
    return select(*_columns).where(_columns.mailbox == mailbox, _columns.state.in_(values))


def _last_sent(connection: Connection, mailbox: str) -> list[float]:
    is_sent = (_columns.mailbox == mailbox, _columns.state == State.SENT.value)
    last = select(_columns.ended_at).where(*is_sent).order_by(_columns.ended_at.desc())
    return list(connection.execute(last.limit(MOST_AN_HOUR)).scalars())


def read_due(
    connection: Connection, now: float, states: Collection[State], most: int
) -> Due[Written]:
    """Return at most `most` letters of each of these states that are due."""
    found: list[Written] = []
    both = select(*_columns, contents.c.content).join(contents)
    for state in states:
        of_state = both.where(_columns.state == state.value, _columns.due_at <= now)
        query = of_state.order_by(_columns.due_at, _columns.position).limit(most)
        found += [Written(letter_of(row[:-1]), row[-1]) for row in connection.execute(query)]
    later = select(func.min(_columns.due_at)).where(_columns.due_at > now)
    times = [
        connection.execute(later.where(_columns.state == state.value)).scalar() for state in OPEN
    ]
    return Due(found, min((one for one in times if one is not None), default=None))


def hasten(connection: Connection, now: float) -> int:
    """Make letters due that are scheduled later than any pause allows; return how many.

    The clock was set back after they were scheduled.
    """
    far = _columns.due_at > now + max(*PAUSES, HOUR)
    scheduled = _columns.state.in_([state.value for state in OPEN])
    return connection.execute(update(table).where(scheduled, far).values(due_at=now)).rowcount


def count_backlog(connection: Connection) -> Mapping[State, int]:
    """Return how many letters are not sent, by state."""
    query = (
        select(_columns.state, func.count())
        .where(_columns.state.in_([state.value for state in BACKLOG]))
        .group_by(_columns.state)
    )
    found = {State(state): number for state, number in connection.execute(query)}
    return {state: found.get(state, 0) for state in BACKLOG}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A manager's filter for a page of letters."""

    booking_id: str | None = None
    state: State | None = None
    before: int | None = None
    """The page has letters about events before this position."""
    most: int = 100


class Page(NamedTuple):
    """Some letters, the newest first, and their last attempts."""

    letters: list[Letter]
    attempts: Mapping[str, list[Attempt]]
    """By letter_id, oldest first."""
    goes_on: bool


def read_page(connection: Connection, wanted: Wanted) -> Page:
    """Return a page of letters."""
    query = select(*_columns).order_by(_columns.position.desc()).limit(wanted.most + 1)
    if wanted.booking_id is not None:
        query = query.where(_columns.booking_id == wanted.booking_id)
    if wanted.state is not None:
        query = query.where(_columns.state == wanted.state.value)
    if wanted.before is not None:
        query = query.where(_columns.position < wanted.before)
    found = [letter_of(row) for row in connection.execute(query)]
    shown = found[: wanted.most]
    return Page(shown, read_attempts(connection, shown), len(found) > len(shown))


class Shown(NamedTuple):
    """One letter with its content and its last attempts."""

    letter: Letter
    content: str
    attempts: list[Attempt]


def read_one(connection: Connection, letter_id: str) -> Shown | None:
    """Return a letter with its content and its last attempts; None if there is no such letter."""
    query = select(*_columns, contents.c.content).join(contents)
    row = connection.execute(query.where(_columns.letter_id == letter_id)).first()
    if row is None:
        return None
    letter = letter_of(row[:-1])
    made = read_attempts(connection, [letter]).get(letter_id, [])
    return Shown(letter, row[-1], made)


def read_attempts(connection: Connection, of: Sequence[Letter]) -> Mapping[str, list[Attempt]]:
    """Return the last attempts of some letters."""
    ids = [one.letter_id for one in of]
    query = (
        select(*attempts.c)
        .join(table, _columns.letter_id == attempts.c.letter_id)
        .where(attempts.c.letter_id.in_(ids), attempts.c.number > _columns.attempts - LAST_ATTEMPTS)
        .order_by(attempts.c.letter_id, attempts.c.number)
    )
    found: dict[str, list[Attempt]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.letter_id].append(attempt_of(row))
    return found


def ended(before: float) -> Select[Any]:
    """Select the letters that were sent or set aside before a time."""
    return select(_columns.letter_id).where(_columns.ended_at < before)


def _delete(of: Any, letter_ids: Sequence[str]) -> Executable:
    return delete(of).where(of.c.letter_id.in_(letter_ids))


PRUNE = (partial(_delete, attempts), partial(_delete, contents), partial(_delete, table))
