"""The office: where the managers' routes ask. It asks the MenuKeeper.

Rule: no state, no decisions about products. It retries after a crash and bounds each wait for the
ledger; every message can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import trio

from actors import ActorCrashed, Message, Ref
from cafe.ledger.errors import JournalClosed, LedgerUnavailable
from cafe.menu.keeper import MenuKeeper

R = TypeVar("R")
TRIES = 3
LEDGER_SECONDS = 5.0
"""How long a request may wait for the ledger."""


@dataclass(frozen=True, slots=True)
class MenuOffice:
    """Where managers change the menu."""

    keeper: Ref[MenuKeeper]

    async def ask(self, message: Message[MenuKeeper, R]) -> R:
        """Return the MenuKeeper's answer; raises its refusals.

        Raises LedgerUnavailable after LEDGER_SECONDS.
        """
        with trio.move_on_after(LEDGER_SECONDS):
            for _ in range(TRIES - 1):
                try:
                    return await self.keeper.ask(message)
                except (ActorCrashed, JournalClosed):
                    await trio.lowlevel.checkpoint()
            return await self.keeper.ask(message)
        raise LedgerUnavailable
