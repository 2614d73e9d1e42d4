"""The tables of payments, and how a payment becomes a row.

Rule: its own tables only, and the conversion loses nothing: `payment_of(row_of(payment)) ==
payment`. A payment's fields are the columns of its table, in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.tables import CONSTANT, metadata, one_of
from cafe.payments.payment import OPEN, Change, Payment, Status

payments = Table(
    "payments",
    metadata,
    Column("payment_id", String(64), primary_key=True),
    # The database refuses a second payment of an order.
    Column("order_id", String(64), nullable=False, unique=True, info=CONSTANT),
    Column("account_id", String(64), nullable=False, info=CONSTANT),
    Column("total_cents", BigInteger, nullable=False, info=CONSTANT),
    Column("intended_at", Float(53), nullable=False, info=CONSTANT),
    Column("key", Text),
    Column("fingerprint", Text, info=CONSTANT),
    Column("wanted", Text, info=CONSTANT),
    Column("status", String(16), nullable=False),
    Column("changed_at", Float(53), nullable=False),
    Column("number", BigInteger),
    Column("charge_status", Integer),
    Column("charge_ref", Text),
    Column("charge_answer", Text),
    Column("refund_status", Integer),
    Column("refund_ref", Text),
    Column("refund_answer", Text),
    CheckConstraint(one_of("status", Status), name="status"),
    # Nor is there a second payment for one key of an account.
    UniqueConstraint("account_id", "key"),
)
# Partial: few payments are open, very many are not.
Index(
    "ix_payments_open",
    payments.c.intended_at,
    sqlite_where=text(one_of("status", OPEN)),
    postgresql_where=text(one_of("status", OPEN)),
)
Index("ix_payments_changed_at", payments.c.changed_at)
Index("ix_payments_status", payments.c.status, payments.c.number)

followed = Table(
    "payments_followed",
    metadata,
    # One row: the events of orders up to this position are applied.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

_STATUS = Payment._fields.index("status")


def row_of(payment: Payment) -> tuple[Any, ...]:
    """Return a payment as plain values: drivers do not know enums."""
    return (*payment[:_STATUS], payment.status.value, *payment[_STATUS + 1 :])


def payment_of(row: Sequence[Any]) -> Payment:
    """Return the payment that a row holds."""
    return Payment._make((*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :]))


def entry_of(change: Change) -> Entry:
    """Return a change as an entry of the ledger."""
    action, before, payment, at, reason = change
    event = Event(
        payment.payment_id,
        action.value,
        None if before is None else before.value,
        payment.status.value,
        at,
        reason=reason,
    )
    return Entry(event, (Put(payments, row_of(payment)),))


def entry_of_position(position: int) -> Entry:
    """Return the position up to which orders were followed, as an entry of the ledger."""
    return Entry(None, (Put(followed, (1, position)),))
