"""What can be said to Tips, and what it refuses.

Rule: frozen values only. A tip carries an id that its giver has made, and an event its position: so
both can be repeated after any crash, and have their effect once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Message
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Logged
from docs.examples.tips.tip import Tip

if TYPE_CHECKING:
    from docs.examples.tips.tips import Tips  # noqa: F401 - the owner that the messages name


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


class UnknownOrder(CafeRefusal):
    """There is no such order, or it was there too long ago."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such order.")


class NotBrewed(CafeRefusal):
    """The order was cancelled."""

    status = 409

    def __init__(self) -> None:
        super().__init__("The order was cancelled; nobody has earned a tip.")


class OneTipEach(CafeRefusal):
    """The order has a tip already."""

    status = 409

    def __init__(self) -> None:
        super().__init__("The order has a tip already.")


class TipIdReused(CafeRefusal):
    """The id is that of another tip."""

    status = 422

    def __init__(self) -> None:
        super().__init__("This tip_id was used for another tip; take a new one.")
