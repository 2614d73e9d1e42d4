"""A front's ref of the Cashier: on shutdown it refuses the customers that wait for a payment.

Rule: a payment goes on in the house without its customer, whose key finds it at any front.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import trio

from actors.errors import copy_error
from actors.message import Question
from cafe.bus.house_client import HouseClient
from cafe.bus.ref import BusRef
from cafe.http.refusals import CafeRefusal, Closing
from cafe.ledger.errors import LedgerUnavailable
from cafe.payments.cashier import Cashier
from cafe.payments.messages import AwaitOrder, Intend

R = TypeVar("R")

REFUSED_WHEN_CLOSING: Final = (Intend, AwaitOrder)


class CashierAtFront(BusRef[Cashier]):
    """A ref of the house's Cashier; `close` ends all waits."""

    def __init__(self, house: HouseClient, closing: Closing) -> None:
        """Ask the house; refuse new payments and waits once `closing` has a refusal."""
        super().__init__(house, Cashier, Cashier.__name__)
        self._closing = closing
        self._waiting: set[trio.CancelScope] = set()

    async def ask(self, message: Question[Cashier, R]) -> R:
        """Ask as a BusRef does; a wait for an order is refused as soon as the front closes."""
        kind = type(message)
        if kind in REFUSED_WHEN_CLOSING and self._closing.refusal is not None:
            await trio.lowlevel.checkpoint()
            raise self._refusal()
        if kind is not AwaitOrder:
            return await super().ask(message)
        with trio.CancelScope() as scope:
            self._waiting.add(scope)
            try:
                return await super().ask(message)
            finally:
                self._waiting.discard(scope)
        raise self._refusal()

    @property
    def waiting(self) -> int:
        """How many customers wait for a payment here."""
        return len(self._waiting)

    async def close(self) -> Mapping[str, int]:
        """Refuse all customers that wait for a payment; return how many."""
        await trio.lowlevel.checkpoint()
        for scope in self._waiting:
            scope.cancel()
        return {"payments_answered": self.waiting}

    def _refusal(self) -> CafeRefusal:
        return copy_error(self._closing.refusal or LedgerUnavailable())
