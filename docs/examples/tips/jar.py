"""The jar: where customers give tips, and baristas see what they have got.

Rule: no state, no decisions about tips. It asks again after a crash, bounds each wait for the
ledger, and does not call an order unknown that was placed a moment ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import trio

from actors import ActorCrashed, Message, Ref
from cafe.ledger.errors import JournalClosed, LedgerUnavailable
from cafe.ledger.ledger import Ledger
from docs.examples.tips.department import read_totals
from docs.examples.tips.messages import AwaitPosition, GiveTip, UnknownOrder
from docs.examples.tips.tip import Tip
from docs.examples.tips.tips import Tips

R = TypeVar("R")
TRIES = 3
LEDGER_SECONDS = 5.0
"""How long a request may wait for the ledger."""


@dataclass(frozen=True, slots=True)
class TipJar:
    """Where tips are given and looked at."""

    tips: Ref[Tips]
    ledger: Ledger

    async def give(self, message: GiveTip) -> Tip:
        """Give a tip, once, however often it is asked for."""
        with trio.move_on_after(LEDGER_SECONDS):
            end = self.ledger.statistics().position
            try:
                return await self._ask(message)
            except UnknownOrder:
                await self._ask(AwaitPosition(end))
            return await self._ask(message)
        raise LedgerUnavailable

    async def totals(self) -> dict[str, int]:
        """Give the cents that each barista has got."""
        with trio.move_on_after(LEDGER_SECONDS):
            return await self.ledger.read(read_totals)
        raise LedgerUnavailable

    async def _ask(self, message: Message[Tips, R]) -> R:
        for _ in range(TRIES - 1):
            try:
                return await self.tips.ask(message)
            except (ActorCrashed, JournalClosed):
                await trio.lowlevel.checkpoint()
        return await self.tips.ask(message)
