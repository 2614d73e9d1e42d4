"""Delivery at a front: copies of the coverage, and of what couriers have in hand.

Rule: a change that is made through this front is visible here at once, at other fronts a moment
later. What is in hand follows the log, and is loaded again if a part of the log was missed.
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
"""The actions that change districts, or who serves them: going on or off duty does not."""


def is_of_coverage(logged: Logged) -> bool:
    """Return whether an event changes which districts are served."""
    return logged.department == "delivery" and logged.event.action in ACTIONS


def copied_coverage(house: HouseClient, coverage: Coverage) -> tuple[Copy, Ref[Couriers]]:
    """Return a Copy that keeps the coverage like the house's, and a ref that refreshes it."""
    couriers = house.ref(Couriers)

    async def load() -> None:
        covered = await couriers.ask(ReadCoverage())
        coverage.show(covered.districts, frozenset(covered.served))

    copy = Copy(load, is_of_coverage)
    return copy, CopyingRef(house, Couriers, CHANGES, copy)


async def copied_hands(ledger: FollowingLedger) -> Hands:
    """Return the Hands of couriers, which follow the log from now on."""
    hands = Hands()
    await FollowingCopy(partial(ledger.read, read_hands), hands.begin, hands.hear).begin(ledger)
    return hands
