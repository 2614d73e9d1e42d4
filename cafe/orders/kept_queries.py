"""Queries of what is kept in memory: the secret of order ids, the used keys, and the board.

Rule: queries only. `load_*` returns the object, and `read_*` plain values, which can be sent to
a front.
"""

from __future__ import annotations

from secrets import token_bytes
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, literal, select

from cafe.ledger.tables import events
from cafe.orders.kept_keys import MOST_KEYS, KeptKeys, UsedKey
from cafe.orders.order import BREWED, SECRET_BYTES, Action, OrderIds, Status
from cafe.orders.queries import load_last_number
from cafe.orders.ready_board import (
    AT_ONCE_SECONDS,
    MOST_KEPT,
    READY_SECONDS,
    Cup,
    OnBoard,
    ReadyBoard,
)
from cafe.orders.tables import destinations, id_secret, keys, orders

_cup = (orders.c.order_id, orders.c.number, orders.c.name, orders.c.ended_at)
_is_brought = (
    select(destinations.c.order_id).where(destinations.c.order_id == orders.c.order_id).exists()
)
_in_preparation = select(*_cup).where(
    orders.c.status == literal(Status.PREPARATION.value, literal_execute=True), ~_is_brought
)
_handed_over_late = (
    select(events.c.position)
    .where(
        events.c.subject == orders.c.order_id,
        events.c.department == "orders",
        events.c.action == Action.HAND_OVER.value,
        events.c.at - orders.c.ended_at > AT_ONCE_SECONDS,
    )
    .exists()
)
_on_the_counter = (
    select(*_cup)
    .where(
        orders.c.ended_at > bindparam("since"),
        orders.c.status.in_([one.value for one in BREWED]),
        ~_is_brought,
        ~_handed_over_late,
    )
    .order_by(orders.c.ended_at.desc(), orders.c.number.desc())
    .limit(bindparam("most"))
)


def load_ids(connection: Connection) -> OrderIds:
    """Return the maker of order ids; makes and stores its secret the first time.

    Once the orders with unsigned ids are pruned, such an id is refused as a guess.
    """
    secret, through = find_secret(connection) or _make_secret(connection)
    return OrderIds(secret, has_unsigned=_has_unsigned(connection, through))


class IdSecret(NamedTuple):
    """The arguments of an OrderIds, so that another process can make it."""

    secret: bytes
    has_unsigned: bool


def read_secret(connection: Connection) -> IdSecret | None:
    """Return the secret that signs order ids; None before a shop has opened the ledger."""
    found = find_secret(connection)
    if found is None:
        return None
    secret, through = found
    return IdSecret(secret, _has_unsigned(connection, through))


def _has_unsigned(connection: Connection, through: int) -> bool:
    unsigned = select(orders.c.number).where(orders.c.number <= through).limit(1)
    return connection.execute(unsigned).first() is not None


def find_secret(connection: Connection) -> tuple[bytes, int] | None:
    """Return the secret of order ids and the last unsigned number; None if none is stored."""
    row = connection.execute(select(id_secret.c.secret, id_secret.c.unsigned_through)).first()
    return None if row is None else (row.secret, row.unsigned_through)


def new_secret(connection: Connection) -> tuple[bytes, int]:
    """Return a new secret for order ids, and the last order's number, which it does not cover."""
    return token_bytes(SECRET_BYTES), load_last_number(connection)


def _make_secret(connection: Connection) -> tuple[bytes, int]:
    secret, through = new_secret(connection)
    row = {"id": 1, "secret": secret, "unsigned_through": through}
    connection.execute(insert(id_secret).values(row))
    return secret, through


def load_keys(connection: Connection, ttl_seconds: float, now: float) -> KeptKeys:
    """Return the keys that have not expired."""
    kept = KeptKeys(ttl_seconds)
    kept.begin(read_keys(connection, ttl_seconds, now))
    return kept


def read_keys(connection: Connection, ttl_seconds: float, now: float) -> list[UsedKey]:
    """Return the newest keys that have not expired, in the order of their use."""
    last = (
        select(keys.c.address, keys.c.key, keys.c.placed_at)
        .where(keys.c.placed_at >= now - ttl_seconds)
        .order_by(keys.c.placed_at.desc())
        .limit(MOST_KEYS + 1)
    )
    return [UsedKey(*row) for row in reversed(connection.execute(last).all())]


def load_board(connection: Connection, now: float, most: int = MOST_KEPT) -> ReadyBoard:
    """Return the board by the committed rows at `now`, with at most `most` ready cups."""
    board = ReadyBoard(most)
    board.begin(read_cups(connection, now, most))
    return board


def read_cups(connection: Connection, now: float, most: int = MOST_KEPT) -> list[OnBoard]:
    """Return the cups of a board at `now`; of the ready ones, the newest `most`, oldest first."""
    brewing = [
        OnBoard(row.order_id, Cup(row.number, row.name))
        for row in connection.execute(_in_preparation)
    ]
    finished = connection.execute(_on_the_counter, {"since": now - READY_SECONDS, "most": most})
    return brewing + [
        OnBoard(row.order_id, Cup(row.number, row.name, row.ended_at))
        for row in reversed(finished.all())
    ]
