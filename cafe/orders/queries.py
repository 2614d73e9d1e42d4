"""What is read from the tables of orders: at the start, for one request, for a report.

Rule: queries only; what a row means is for `order.py` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from cafe.ledger.tables import events
from cafe.orders.followers import MOST_KEYS, KeptKeys
from cafe.orders.order import LIVE, SECRET_BYTES, Order, OrderIds, Status
from cafe.orders.queue import MOST_RECENT
from cafe.orders.tables import id_secret, keys, order_of, orders

LAST_BREWED = 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the Dispatcher starts from."""

    live: tuple[Order, ...] = ()
    """Orders that wait or are in preparation, by number."""
    recent: tuple[Order, ...] = ()
    """Those that ended last, the newest at the end."""
    last_number: int = 0
    brewing_seconds: tuple[float, ...] = ()
    """Brewing times of the last coffees, oldest first."""


# As literals: the database uses the partial index only where it can see the values.
_live = (
    select(*orders.c)
    .where(orders.c.status.in_(bindparam("live", LIVE, expanding=True, literal_execute=True)))
    .order_by(orders.c.number)
)
_recent = (
    select(*orders.c)
    .where(orders.c.ended_at.is_not(None))
    .order_by(orders.c.ended_at.desc(), orders.c.number.desc())
    .limit(MOST_RECENT)
)
_last_number = select(func.coalesce(func.max(orders.c.number), 0))
_find = select(*orders.c).where(orders.c.order_id == bindparam("order_id"))
_find_by_key = (
    select(*orders.c)
    .join(keys, keys.c.order_id == orders.c.order_id)
    .where(
        keys.c.address == bindparam("address"),
        keys.c.key == bindparam("key"),
        keys.c.placed_at >= bindparam("since"),
    )
)


def load_orders(connection: Connection) -> Snapshot:
    """Read what the Dispatcher starts from; the time does not grow with the ended orders."""
    recent = [order_of(row) for row in connection.execute(_recent)]
    brewed = [order.brewed_seconds for order in recent if order.status is not Status.CANCELLED]
    return Snapshot(
        live=tuple(order_of(row) for row in connection.execute(_live)),
        recent=tuple(reversed(recent)),
        last_number=connection.execute(_last_number).scalar_one(),
        brewing_seconds=tuple(reversed(brewed[:LAST_BREWED])),
    )


def load_ids(connection: Connection) -> OrderIds:
    """Return the maker of order ids; the first time, also make and store its secret.

    Once the orders with unsigned ids are pruned, such an id is refused as a guess.
    """
    row = connection.execute(select(id_secret.c.secret, id_secret.c.unsigned_through)).first()
    secret, through = row or _make_secret(connection)
    unsigned = select(orders.c.number).where(orders.c.number <= through).limit(1)
    return OrderIds(secret, has_unsigned=connection.execute(unsigned).first() is not None)


def _make_secret(connection: Connection) -> tuple[bytes, int]:
    secret, through = token_bytes(SECRET_BYTES), connection.execute(_last_number).scalar_one()
    row = {"id": 1, "secret": secret, "unsigned_through": through}
    connection.execute(insert(id_secret).values(row))
    return secret, through


def load_keys(connection: Connection, ttl_seconds: float, now: float) -> KeptKeys:
    """Return the keys that have not expired."""
    kept = KeptKeys(ttl_seconds)
    last = (
        select(keys.c.address, keys.c.key, keys.c.placed_at)
        .where(keys.c.placed_at >= now - ttl_seconds)
        .order_by(keys.c.placed_at.desc())
        .limit(MOST_KEYS + 1)
    )
    for address, key, placed_at in reversed(connection.execute(last).all()):
        kept.add(address, key, placed_at)
    return kept


def find_order(connection: Connection, order_id: str) -> Order | None:
    """Return an order as it is committed."""
    if not order_id.isprintable():
        return None  # no database could store it; an id in a URL may be any text
    return _order(connection.execute(_find, {"order_id": order_id}).first())


def find_by_key(connection: Connection, address: str, key: str, since: float) -> Order | None:
    """Return the order that holds a key, if it was placed at `since` or later."""
    wanted = {"address": address, "key": key, "since": since}
    return _order(connection.execute(_find_by_key, wanted).first())


def _order(row: Sequence[Any] | None) -> Order | None:
    return None if row is None else order_of(row)


def drop_expired_keys(connection: Connection, placed_before: float) -> int:
    """Delete the expired keys of ended orders; return how many."""
    ended = select(orders.c.order_id).where(orders.c.ended_at.is_not(None))
    expired = delete(keys).where(keys.c.placed_at < placed_before, keys.c.order_id.in_(ended))
    return connection.execute(expired).rowcount


class Step(NamedTuple):
    """One transition of an order, and the barista who did it, if they gave a name."""

    action: str
    by: str | None


class History(NamedTuple):
    """One order, and its transitions in order."""

    order: Order
    steps: tuple[Step, ...]


def read_histories(connection: Connection, since: float, until: float) -> list[History]:
    """Return the orders placed from `since` on and before `until`, by number.

    Both are seconds since the Unix epoch.
    """
    placed = (orders.c.placed_at >= since, orders.c.placed_at < until)
    found = connection.execute(select(*orders.c).where(*placed).order_by(orders.c.number))
    rows = [order_of(row) for row in found]
    steps: dict[str, list[Step]] = {row.order_id: [] for row in rows}
    happened = (
        select(events.c.subject, events.c.action, events.c.by)
        .join(orders, events.c.subject == orders.c.order_id)
        .where(events.c.department == "orders", *placed)
        .order_by(events.c.position)
    )
    for order_id, action, by in connection.execute(happened):
        steps[order_id].append(Step(action, by))
    return [History(row, tuple(steps[row.order_id])) for row in rows]
