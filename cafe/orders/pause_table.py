"""The table of pauses: one row at most, the managers' last command.

Rule: the row agrees with the last event of its subject. The events are never pruned: there are
few of them.
"""

from __future__ import annotations

import json

from sqlalchemy import CheckConstraint, Column, Connection, Float, String, Table, Text, select

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import metadata, one_of
from cafe.orders.pause import NEVER_PAUSED, SHOP, Intake, Pause, PauseChange, Pausing

pauses = Table(
    "order_pauses",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("intake", String(16), nullable=False),
    Column("since", Float(53), nullable=False),
    # Of the pause; all are NULL once new orders are accepted again.
    Column("until", Float(53)),
    Column("text", Text),
    Column("by", Text),
    CheckConstraint(one_of("intake", Intake), name="intake"),
)


def load_pausing(connection: Connection) -> Pausing:
    """Return the managers' last command; NEVER_PAUSED if there was none."""
    row = connection.execute(select(*pauses.c).where(pauses.c.subject == SHOP)).first()
    if row is None:
        return NEVER_PAUSED
    pause = None if row.until is None else Pause(row.until, row.text, row.by)
    return Pausing(Intake(row.intake), pause, row.since)


def entry_of_pause(change: PauseChange) -> Entry:
    """Return a change as an entry of the ledger.

    The event's data has the members `until`, in seconds since the epoch, and `text`, or none.
    """
    action, before, after, by = change
    pause = after.pause
    intake = (Intake.OPEN if pause is None else Intake.PAUSED).value
    data = {} if pause is None else {"until": pause.until, "text": pause.text}
    event = Event(
        SHOP,
        action.value,
        None if before is None else before.value,
        intake,
        after.since,
        by,
        pause.text or None if pause is not None else None,
        json.dumps(data),
    )
    row = (SHOP, intake, after.since, *(pause or (None, None, None)))
    return Entry(event, (Put(pauses, row),))
