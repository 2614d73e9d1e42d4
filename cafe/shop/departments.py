"""The departments of the house: each has its lines here, and its floor in tests/test_layout.py.

Rule: what one department needs of another is passed in here, as a ref. `DEPARTMENTS` is for
commands that read the database: importing this module defines all tables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cafe.accounts.department import ACCOUNTS, open_accounts
from cafe.bookings.department import BOOKINGS, open_bookings
from cafe.compat.desks import Desks
from cafe.compat.systems import open_compat
from cafe.delivery.department import DELIVERY, open_delivery
from cafe.events.events import open_events
from cafe.ledger.department import Department
from cafe.letters.department import LETTERS, open_letters
from cafe.limits.staff_api import ban_routes
from cafe.menu.department import MENU, open_menu
from cafe.notifications.department import NOTIFICATIONS, open_notifications
from cafe.offer import House, Offer
from cafe.operations.manager_api import report_routes
from cafe.orders.department import ORDERS, open_orders
from cafe.payments.department import PAYMENTS, open_payments
from cafe.screens.pages import open_screens
from cafe.setting_types import parse_origins

DEPARTMENTS: Final[tuple[Department[Any], ...]] = (
    MENU,
    ACCOUNTS,
    ORDERS,
    DELIVERY,
    PAYMENTS,
    BOOKINGS,
    LETTERS,
    NOTIFICATIONS,
)


@dataclass(frozen=True, slots=True)
class Departments:
    """The departments that a shop is made of."""

    kept: tuple[Department[Any], ...]
    """Those that the ledger keeps rows of."""
    open: Callable[[House], Awaitable[tuple[Offer, ...]]]


async def open_departments(house: House) -> tuple[Offer, ...]:
    """Open each department after those that it asks; return what they offer, in this order."""
    menu = await open_menu(house)
    accounts = await open_accounts(house)
    orders = await open_orders(house, board=menu.board)
    delivery = await open_delivery(house, desk=orders.desk, role_of=accounts.desk.role_of)
    payments = await open_payments(
        house, desk=orders.desk, board=menu.board, coverage=delivery.coverage
    )
    bookings = await open_bookings(house)
    letters = await open_letters(house, bookings=bookings.bookings)
    notifications = await open_notifications(house)
    events = open_events(
        house,
        desk=orders.desk,
        ready_board=orders.ready_board,
        listen_to_hands=delivery.hands.listen,
    )
    managing = Offer(
        name="managing", staff_routes=(report_routes(house.ledger), ban_routes(house.limiter))
    )
    desks = Desks(
        house.limiter,
        menu.board,
        menu.keeper,
        accounts.desk,
        orders.desk,
        payments.till,
        delivery.desk,
        bookings.desk,
    )
    compat = open_compat(house.settings, desks)
    return (
        menu,
        accounts,
        orders,
        delivery,
        payments,
        bookings,
        letters,
        notifications,
        events,
        managing,
        compat,
        open_screens(parse_origins(house.settings.frame_ancestors)),
    )


OURS: Final = Departments(DEPARTMENTS, open_departments)
