"""The jar: where the routes ask. It asks Tips, and reads the totals from the ledger.

Rule: no state, no decisions about tips. It retries after a crash, bounds each wait for the ledger,
and finds also an order that was placed a moment ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import trio

from actors import ActorCrashed, Message, Ref
from cafe.ledger.errors import JournalClosed, LedgerUnavailable
from cafe.ledger.ledger import Ledger
from docs.examples.tips.messages import AwaitPosition, GiveTip
from docs.examples.tips.queries import read_totals
from docs.examples.tips.refusals import UnknownOrder
from docs.examples.tips.tip import Tip
from docs.examples.tips.tips import Tips

R = TypeVar("R")
TRIES = 3
LEDGER_SECONDS = 5.0
"""How long a request may wait for the ledger."""


@dataclass(frozen=True, slots=True)
class TipJar:
    """Where tips are given and totals are read."""

    tips: Ref[Tips]
    ledger: Ledger

    async def give(self, message: GiveTip) -> Tip:
        """Give a tip once, however often it is asked for; raises what Tips refuses it with.

        Raises LedgerUnavailable after LEDGER_SECONDS.
        """
        with trio.move_on_after(LEDGER_SECONDS):
            end = self.ledger.statistics().position
            try:
                return await self._ask(message)
            except UnknownOrder:
                await self._ask(AwaitPosition(end))
            return await self._ask(message)
        raise LedgerUnavailable

    async def totals(self) -> dict[str, int]:
        """Return the cents that each barista has got; raises LedgerUnavailable as `give` does."""
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
