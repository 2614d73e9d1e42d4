"""Orders as the ledger keeps them, there and back.

Rule: nothing is lost on the way: `order_of(row_of(order)) == order`.
"""

from __future__ import annotations

from cafe.ledger.messages import EventRow, OrderRow, Record
from cafe.orders.order import Change, Order, Status

# An order and its row have the same fields in the same order; only the status is another type.
STATUS = Order._fields.index("status")


def record_of(sequence: int, change: Change) -> Record:
    """Write one change down."""
    order = change.order
    return Record(
        EventRow(
            sequence=sequence,
            order_id=order.order_id,
            action=change.action.value,
            before=None if change.before is None else change.before.value,
            after=order.status.value,
            at=change.at,
            by=change.by,
            reason=change.reason,
        ),
        row_of(order),
    )


def row_of(order: Order) -> OrderRow:
    """Give an order as plain values."""
    return OrderRow._make((*order[:STATUS], order.status.value, *order[STATUS + 1 :]))


def order_of(row: OrderRow) -> Order:
    """Give the order that a row holds."""
    return Order._make((*row[:STATUS], Status(row.status), *row[STATUS + 1 :]))
