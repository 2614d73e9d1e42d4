"""Delivery at a front: which districts there are, and what couriers have in hand.

Rule: who changes districts or couriers at this front finds that changed here at once; at others
that takes a moment. What is in hand follows the log, and is loaded again where that was missed.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from actors import Ref
from cafe.bus.copies import Copy, CopyingRef, FollowingCopy
from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.house_client import HouseClient
from cafe.delivery.courier import DutyAction
from cafe.delivery.couriers import Couriers
from cafe.delivery.coverage import Coverage
from cafe.delivery.districts import DistrictAction
from cafe.delivery.hands import Hands, read_hands
from cafe.delivery.messages import (
    AddCourier,
    AddDistrict,
    ChangeCourier,
    ChangeDistrict,
    ReadCoverage,
)
from cafe.ledger.department import Logged

CHANGES: Final = (AddDistrict, ChangeDistrict, AddCourier, ChangeCourier)
ACTIONS: Final = frozenset(
    {
        *(one.value for one in DistrictAction),
        DutyAction.ADD.value,
        DutyAction.EDIT.value,
        DutyAction.DISMISS.value,
        DutyAction.BRING_BACK.value,
    }
)
"""What changes districts, and which couriers serve them: going on or off duty does not."""


def is_of_coverage(logged: Logged) -> bool:
    """Return whether an event changes which districts are served."""
    return logged.department == "delivery" and logged.event.action in ACTIONS


def copied_coverage(house: HouseClient, coverage: Coverage) -> tuple[Copy, Ref[Couriers]]:
    """Return what keeps the coverage as the house has it, and a ref that refreshes it."""
    couriers = house.ref(Couriers)

    async def load() -> None:
        covered = await couriers.ask(ReadCoverage())
        coverage.show(covered.districts, frozenset(covered.served))

    copy = Copy(load, is_of_coverage)
    return copy, CopyingRef(house, Couriers, CHANGES, copy)


async def copied_hands(ledger: FollowingLedger) -> Hands:
    """Return what couriers have in hand, which follows the log from now on."""
    hands = Hands()
    await FollowingCopy(partial(ledger.read, read_hands), hands.begin, hands.hear).begin(ledger)
    return hands
