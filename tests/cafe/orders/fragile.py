"""A Dispatcher and a Ledger that crash on request, wherever the request finds them."""

from __future__ import annotations

from dataclasses import dataclass

from actors import Message
from cafe.ledger.ledger import Ledger
from cafe.orders.dispatcher import Dispatcher


class BugError(Exception):
    """Nobody's fault but the program's."""


@dataclass(frozen=True, slots=True)
class CrashDispatcher(Message["FragileDispatcher", None]):
    """Crash."""


class FragileDispatcher(Dispatcher):
    @CrashDispatcher.handler
    def crash(self, _message: CrashDispatcher) -> None:
        raise BugError


@dataclass(frozen=True, slots=True)
class CrashLedger(Message["FragileLedger", None]):
    """Crash, and take the Dispatcher along."""


class FragileLedger(Ledger):
    @CrashLedger.handler
    def crash(self, _message: CrashLedger) -> None:
        raise BugError
