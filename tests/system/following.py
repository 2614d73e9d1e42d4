"""What followers made of the log: for each event that calls for one effect, that one and no other.

Rule: what there must be is read from the events and from guests' rows alone, by none of the code
that follows them; so an event that a follower has skipped or repeated has no counterpart.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from cafe.bookings.tables import bookings
from cafe.ledger.checking import open_reader
from cafe.ledger.tables import events
from cafe.letters.tables import letters
from cafe.notifications.tables import notifications
from cafe.payments.tables import payments
from cafe.shop.departments import DEPARTMENTS
from tests.system.mail_server import Inbox
from tests.system.paying import Providers

ON_THE_STREET = {"assigned", "picked_up", "failed"}
TO_BE_PAID = ("intent", "asked", "paid", "refund_pending")


def unfollowed(connection: Connection) -> Iterator[str]:
    """Yield a sentence for each event whose effect is missing, and each effect without an event."""
    changes = _changes(connection)
    yield from _compared("delivery", _baskets_ready(changes), _deliveries_requested(changes))
    yield from _compared("letter", _to_be_written(connection, changes), _written(connection))
    yield from _compared("notification", _to_be_told(changes), _noted(connection))
    unpaid = select(payments.c.payment_id).where(payments.c.status.in_(TO_BE_PAID))
    for payment_id in connection.execute(unpaid).scalars():
        yield f"something is left to do of payment {payment_id}"


def unsent(connection: Connection, inbox: Inbox, providers: Providers) -> Iterator[str]:
    """Yield a sentence for each letter and notification that did not arrive, or that is no one's.

    One that was on its way when the shop was killed may have arrived twice, under the same id.
    """
    sent = {message["Message-ID"] for _, message in inbox.taken}
    message_ids = list(connection.execute(select(letters.c.message_id)).scalars())
    yield from _compared("Message-ID", Counter(message_ids), Counter(sent))
    arrived = [*providers.done("notifications"), *providers.done("bookings")]
    event_ids = connection.execute(select(notifications.c.event_id)).scalars()
    yield from _compared("event_id", Counter(event_ids), Counter(one["key"] for one in arrived))
    sequences_of: dict[str, list[int]] = defaultdict(list)
    for one in arrived:
        body = one["body"]
        sequences_of[body.get("order_id") or body["booking_id"]].append(body["sequence"])
    for subject, sequences in sequences_of.items():
        if sequences != [*range(1, len(sequences) + 1)]:
            yield f"{subject} was notified of in the sequence {sequences}"
    for table in (letters, notifications):
        ended = ("sent", "delivered")
        left = select(func.count()).where(table.c.state.not_in(ended)).select_from(table)
        if number := connection.execute(left).scalar_one():
            yield f"{number} {table.name} are not {' or '.join(ended)}"


def positions_in(url: str) -> dict[str, int]:
    """Return up to where each department that follows the log has followed it, and its end."""
    with open_reader(url) as connection:
        found = {
            one.name: connection.execute(one.followed).scalar() or 0
            for one in DEPARTMENTS
            if one.followed is not None
        }
        end = connection.execute(select(func.max(events.c.position))).scalar() or 0
    assert max(found.values()) <= end
    return {**found, "": end}


def _compared(what: str, wanted: Counter[Any], found: Counter[Any]) -> Iterator[str]:
    for one, number in (wanted - found).items():
        yield f"{number} {what} missing for {one}"
    for one, number in (found - wanted).items():
        yield f"{number} {what} too many for {one}"


def _changes(connection: Connection) -> list[Any]:
    """Return each event that changes a status, in the order of the log."""
    changed = events.c.before.is_distinct_from(events.c.after)
    return list(connection.execute(select(events).where(changed).order_by(events.c.position)))


def _data_of(change: Any) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(change.data or "{}")
    return shown


def _baskets_ready(changes: list[Any]) -> Counter[str]:
    return Counter(
        one.subject
        for one in changes
        if (one.department, one.after) == ("orders", "ready")
        and {"account_id", "destination"} <= _data_of(one).keys()
    )


def _deliveries_requested(changes: list[Any]) -> Counter[str]:
    return Counter(
        one.subject
        for one in changes
        if (one.department, one.action) == ("delivery", "request") and one.data is not None
    )


def _to_be_written(connection: Connection, changes: list[Any]) -> Counter[Any]:
    kinds = {"requested": "received"}
    emails = select(bookings.c.booking_id).where(bookings.c.email.is_not(None))
    with_email = {*connection.execute(emails).scalars()}
    return Counter(
        (one.position, one.subject, kinds.get(one.after, one.after))
        for one in changes
        if one.department == "bookings" and one.subject in with_email
    )


def _written(connection: Connection) -> Counter[Any]:
    query = select(letters.c.position, letters.c.booking_id, letters.c.kind)
    return Counter(map(tuple, connection.execute(query)))


def _to_be_told(changes: list[Any]) -> Counter[Any]:
    sequences: Counter[str] = Counter()
    found: Counter[Any] = Counter()
    for one in changes:
        is_basket = "account_id" in _data_of(one)
        if (
            (one.department == "orders" and is_basket)
            or (one.department == "delivery" and is_basket and one.after in ON_THE_STREET)
            or (one.department == "bookings" and one.after == "requested")
        ):
            sequences[one.subject] += 1
            found[one.position, one.subject, sequences[one.subject], one.after] += 1
    return found


def _noted(connection: Connection) -> Counter[Any]:
    one = notifications.c
    query = select(one.position, one.subject_id, one.sequence, one.status)
    return Counter(map(tuple, connection.execute(query)))
