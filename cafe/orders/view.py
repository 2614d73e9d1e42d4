"""What is derived from the order book: positions, estimates, counts.

Rule: pure, and nothing is stored: every answer is computed from the book.
"""

from __future__ import annotations

from cafe.orders.messages import QueueCount, Standing
from cafe.orders.order import Order
from cafe.orders.queue import OrderBook

RETRY_SECONDS = 5.0
"""Retry-After while no brewing time is known."""


class View:
    """The order book as customers, baristas and operators see it at one moment."""

    def __init__(self, book: OrderBook, idle_baristas: int, now: float) -> None:
        self._book = book
        self._idle_baristas = idle_baristas
        self._now = now

    @property
    def baristas(self) -> int:
        """Count the baristas: those who hold a claim or wait, and at least the last to finish."""
        seen = self._book.preparing + self._idle_baristas
        return max(seen, 0 if self._book.brewing.mean is None else 1)

    @property
    def retry_after(self) -> float:
        """Return the seconds after which about one place in the queue is free."""
        return self._book.brewing.eta_seconds(1, self.baristas) or RETRY_SECONDS

    def standing(self, order: Order) -> Standing:
        """Return where an order stands."""
        position = self._book.position(order)
        return Standing(
            order=order,
            position=position,
            eta_seconds=self._eta_seconds(order, position),
            waited_seconds=order.waited_seconds(self._now),
        )

    def count(self, *, accepting: bool) -> QueueCount:
        """Return how busy the shop is."""
        return QueueCount(
            waiting=self._book.waiting,
            preparing=self._book.preparing,
            baristas=self.baristas,
            eta_seconds=self._book.brewing.eta_seconds(self._book.waiting + 1, self.baristas),
            accepting=accepting,
            by_status=self._book.by_status,
        )

    def _eta_seconds(self, order: Order, position: int | None) -> float | None:
        if position is not None:
            return self._book.brewing.eta_seconds(position, self.baristas)
        if order.ended or order.started_at is None:
            return None
        # Not negative: the clock may have been ahead when it was started.
        return self._book.brewing.remaining_seconds(max(0.0, self._now - order.started_at))
