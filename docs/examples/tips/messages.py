"""What can be asked of Tips.

Rule: frozen values only. A tip carries an id made by its sender, and an event its position: so both
can be repeated after any crash, and have their effect once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Message
from cafe.ledger.department import Logged
from docs.examples.tips.tip import Tip

if TYPE_CHECKING:
    from docs.examples.tips.tips import Tips  # noqa: F401 - the owner of the messages


@dataclass(frozen=True, slots=True)
class GiveTip(Message["Tips", Tip]):
    """Give a tip; answered when it is committed. The same id is the same tip."""

    tip_id: str
    order_id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Follow(Message["Tips", None]):
    """Take in events of the log, each once; answered when their effects are committed."""

    batch: tuple[Logged, ...]


@dataclass(frozen=True, slots=True)
class AwaitPosition(Message["Tips", None]):
    """Wait until the events up to a position have had their effects."""

    position: int
