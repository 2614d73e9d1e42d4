"""The departments of the café: each has its lines here, and its floor in tests/test_layout.py.

Rule: what one department needs of another is passed in here, as a ref. A front reaches the same
departments in the house, and offers the same routes. `DEPARTMENTS` is for commands that read the
database: importing this module defines all tables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cafe.accounts.department import ACCOUNTS, AccountsOffer, open_accounts, reach_accounts
from cafe.bookings.department import BOOKINGS, BookingsOffer, open_bookings, reach_bookings
from cafe.compat.desks import Desks
from cafe.compat.systems import open_compat
from cafe.delivery.department import DELIVERY, DeliveryOffer, open_delivery, reach_delivery
from cafe.events.events import open_events, reach_events
from cafe.ledger.department import Department
from cafe.letters.department import LETTERS, open_letters, reach_letters
from cafe.limits.staff_api import ban_routes
from cafe.menu.department import MENU, MenuOffer, open_menu, reach_menu
from cafe.notifications.department import NOTIFICATIONS, open_notifications, reach_notifications
from cafe.offer import Front, House, Offer
from cafe.operations.day_reader import read_page
from cafe.operations.manager_api import report_routes
from cafe.orders.department import ORDERS, OrdersOffer, open_orders, reach_orders
from cafe.payments.department import PAYMENTS, PaymentsOffer, open_payments, reach_payments
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


async def reach_nothing(_front: Front) -> tuple[Offer, ...]:
    """Offer nothing at fronts."""
    return ()


@dataclass(frozen=True, slots=True)
class Departments:
    """The departments of a shop."""

    kept: tuple[Department[Any], ...]
    """The departments that have tables in the ledger."""
    open: Callable[[House], Awaitable[tuple[Offer, ...]]]
    reach: Callable[[Front], Awaitable[tuple[Offer, ...]]] = reach_nothing
    """Returns what the departments that `open` opens in the house offer at a front."""


async def open_departments(house: House) -> tuple[Offer, ...]:
    """Open each department after those that it asks; return their offers."""
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
    return all_offers(
        house,
        menu=menu,
        accounts=accounts,
        orders=orders,
        delivery=delivery,
        payments=payments,
        bookings=bookings,
        others=(
            letters,
            notifications,
            events,
        ),
    )


async def reach_departments(front: Front) -> tuple[Offer, ...]:
    """Return the offers of `open_departments`, at a front: each asks its actors in the house.

    Waits as long as no house answers.
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
    return all_offers(
        front,
        menu=menu,
        accounts=accounts,
        orders=orders,
        delivery=delivery,
        payments=payments,
        bookings=bookings,
        others=(
            reach_letters(front),
            reach_notifications(front),
            events,
        ),
    )


def all_offers(
    place: House | Front,
    *,
    menu: MenuOffer,
    accounts: AccountsOffer,
    orders: OrdersOffer,
    delivery: DeliveryOffer,
    payments: PaymentsOffer,
    bookings: BookingsOffer,
    others: tuple[Offer, ...],
) -> tuple[Offer, ...]:
    """Return these offers, followed by those that need only the desks and the ledger."""
    desks = Desks(
        place.limiter,
        menu.board,
        menu.keeper,
        accounts.desk,
        orders.desk,
        payments.till,
        delivery.desk,
        bookings.desk,
    )
    managing = Offer(
        name="managing",
        staff_routes=(report_routes(place.ledger), ban_routes(place.limiter)),
        queries=(read_page,),
    )
    compat = open_compat(place.settings, desks)
    screens = open_screens(parse_origins(place.settings.frame_ancestors))
    shown = (menu, accounts, orders, delivery, payments, bookings)
    return *shown, *others, managing, compat, screens


OURS: Final = Departments(DEPARTMENTS, open_departments, reach_departments)
