"""The payments in memory: all with something left to do, and those that were settled last.

Rule: pure. The book indexes payments and changes none.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Final

from cafe.payments.payment import Payment, Status

MOST_RECENT: Final = 10_000
"""The most settled payments in memory, about 10 MB; older ones are in the ledger only."""


class PaymentBook:
    """Payments by their id, by their order and by their account's key."""

    def __init__(
        self,
        opened: Iterable[Payment] = (),
        recent: Iterable[Payment] = (),
        most_recent: int = MOST_RECENT,
    ) -> None:
        self.opened: dict[str, Payment] = {}
        """Payments with something left to do; only `keep` changes this dict."""
        self._recent: OrderedDict[str, Payment] = OrderedDict()
        """Settled payments, the newest last."""
        self._by_order: dict[str, str] = {}
        self._by_key: dict[tuple[str, str], str] = {}
        self._most_recent = most_recent
        for payment in (*recent, *opened):
            self.keep(payment)

    def __len__(self) -> int:
        return len(self.opened)

    def get(self, payment_id: str) -> Payment | None:
        """Return a payment by its id."""
        return self.opened.get(payment_id) or self._recent.get(payment_id)

    def of_order(self, order_id: str) -> Payment | None:
        """Return the payment of an order."""
        return self.get(self._by_order.get(order_id, ""))

    def of_key(self, account_id: str, key: str) -> Payment | None:
        """Return the payment of an account's key."""
        return self.get(self._by_key.get((account_id, key), ""))

    def keep(self, payment: Payment) -> None:
        """Store a payment in place of its earlier state; drop the oldest settled at the limit."""
        self._forget(payment.payment_id)
        places = self.opened if payment.is_open else self._recent
        places[payment.payment_id] = payment
        self._by_order[payment.order_id] = payment.payment_id
        if payment.key is not None:
            self._by_key[payment.account_id, payment.key] = payment.payment_id
        while len(self._recent) > self._most_recent:
            self._forget(next(iter(self._recent)))

    def by_status(self) -> Counter[Status]:
        """Count the payments with something left to do, by status."""
        return Counter(payment.status for payment in self.opened.values())

    def _forget(self, payment_id: str) -> None:
        payment = self.opened.pop(payment_id, None) or self._recent.pop(payment_id, None)
        if payment is None:
            return
        del self._by_order[payment.order_id]
        at = payment.account_id, payment.key or ""
        if self._by_key.get(at) == payment_id:
            del self._by_key[at]
