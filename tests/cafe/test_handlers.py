"""The café's actors have a handler for each of their messages."""

from __future__ import annotations

from types import ModuleType

import pytest

from actors import Actor
from actors.testing import assert_handles_all
from cafe.bookings import messages as of_bookings
from cafe.bookings.bookings import Bookings
from cafe.limits import rate_limiter
from cafe.limits.rate_limiter import RateLimiter
from cafe.limits.shared import SharedRateLimiter
from cafe.menu import messages as of_the_menu
from cafe.menu.keeper import MenuKeeper
from cafe.orders import autopilot, messages
from cafe.orders.autopilot import Autopilot
from cafe.orders.dispatcher import Dispatcher


@pytest.mark.parametrize(
    ("actor", "module"),
    [
        (Dispatcher, messages),
        (Autopilot, autopilot),
        (MenuKeeper, of_the_menu),
        (Bookings, of_bookings),
        (RateLimiter, rate_limiter),
        (SharedRateLimiter, rate_limiter),
    ],
    ids=str,
)
def test_an_actor_handles_all_of_its_messages(actor: type[Actor], module: ModuleType) -> None:
    assert_handles_all(actor, module)
