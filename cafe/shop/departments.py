"""The departments of the house: each has its lines here, and its floor in tests/test_layout.py.

Rule: what one department needs of another is passed in here, as a ref. A front reaches the same
departments in the house, and makes the same routes of them. `DEPARTMENTS` is for commands that read
the database: importing this module defines all tables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cafe.accounts.department import ACCOUNTS, open_accounts, reach_accounts
from cafe.bookings.department import BOOKINGS, open_bookings, reach_bookings
from cafe.compat.desks import Desks
from cafe.compat.systems import open_compat
from cafe.delivery.department import DELIVERY, open_delivery, reach_delivery
from cafe.events.events import open_events, reach_events
from cafe.ledger.department import Department
from cafe.ledger.view import LedgerView
from cafe.letters.department import LETTERS, open_letters, reach_letters
from cafe.limits.staff_api import ban_routes
from cafe.menu.department import MENU, open_menu, reach_menu
from cafe.notifications.department import NOTIFICATIONS, open_notifications, reach_notifications
from cafe.offer import Front, House, Offer
from cafe.operations.day_reader import read_page
from cafe.operations.manager_api import report_routes
from cafe.orders.department import ORDERS, open_orders, reach_orders
from cafe.payments.department import PAYMENTS, open_payments, reach_payments
from cafe.screens.pages import open_screens
from cafe.setting_types import parse_origins
from cafe.settings import Settings

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


async def reach_nothing(_front: Front) -> tuple[Offer, ...]:
    """Offer nothing at fronts."""
    return ()


@dataclass(frozen=True, slots=True)
class Departments:
    """The departments that a shop is made of."""

    kept: tuple[Department[Any], ...]
    """Those that the ledger keeps rows of."""
    open: Callable[[House], Awaitable[tuple[Offer, ...]]]
    reach: Callable[[Front], Awaitable[tuple[Offer, ...]]] = reach_nothing
    """Returns what those that `open` has opened in the house offer at a front."""


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
        *made_of_desks(house.settings, house.ledger, desks),
    )


async def reach_departments(front: Front) -> tuple[Offer, ...]:
    """Reach each department in the house; return what they offer here, as `open_departments`.

    Waits for a house that answers, however long there is none.
    """
    menu = await reach_menu(front)
    accounts = await reach_accounts(front)
    orders = await reach_orders(front, board=menu.board)
    delivery = await reach_delivery(front, desk=orders.desk, role_of=accounts.desk.role_of)
    payments = reach_payments(front, desk=orders.desk, board=menu.board, coverage=delivery.coverage)
    bookings = await reach_bookings(front)
    events = reach_events(
        front,
        desk=orders.desk,
        ready_board=orders.ready_board,
        listen_to_hands=delivery.hands.listen,
    )
    desks = Desks(
        front.limiter,
        menu.board,
        menu.keeper,
        accounts.desk,
        orders.desk,
        payments.till,
        delivery.desk,
        bookings.desk,
    )
    return (
        menu,
        accounts,
        orders,
        delivery,
        payments,
        bookings,
        reach_letters(front),
        reach_notifications(front),
        events,
        *made_of_desks(front.settings, front.ledger, desks),
    )


def made_of_desks(settings: Settings, ledger: LedgerView, desks: Desks) -> tuple[Offer, ...]:
    """Return what is made of the desks and the ledger alone, in a house or at a front."""
    managing = Offer(
        name="managing",
        staff_routes=(report_routes(ledger), ban_routes(desks.limiter)),
        queries=(read_page,),
    )
    screens = open_screens(parse_origins(settings.frame_ancestors))
    return managing, open_compat(settings, desks), screens


OURS: Final = Departments(DEPARTMENTS, open_departments, reach_departments)
