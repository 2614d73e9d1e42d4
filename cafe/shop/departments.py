"""The departments of the house: each has its lines here, and its floor in tests/test_layout.py.

Rule: what one department needs of another is passed in here, as a ref. `DEPARTMENTS` is for
commands that read the database: importing this module defines all tables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry

from actors import Ref
from cafe.accounts.department import ACCOUNTS, open_accounts
from cafe.http.refusals import Closing
from cafe.ledger.department import Department
from cafe.ledger.ledger import Ledger
from cafe.limits.rate_limiter import RateLimiter
from cafe.menu.department import MENU, open_menu
from cafe.notifications.department import NOTIFICATIONS, open_notifications
from cafe.offer import Offer, Start
from cafe.orders.department import ORDERS, open_orders
from cafe.payments.department import PAYMENTS, open_payments
from cafe.settings import Settings

DEPARTMENTS: Final[tuple[Department[Any], ...]] = (
    MENU,
    ACCOUNTS,
    ORDERS,
    PAYMENTS,
    NOTIFICATIONS,
)


@dataclass(frozen=True, slots=True)
class House:
    """What the shop has before any department is open."""

    settings: Settings
    start: Start
    ledger: Ledger
    limiter: Ref[RateLimiter]
    closing: Closing
    registry: CollectorRegistry


@dataclass(frozen=True, slots=True)
class Departments:
    """The departments that a shop is made of."""

    kept: tuple[Department[Any], ...]
    """Those that the ledger keeps rows of."""
    open: Callable[[House], Awaitable[tuple[Offer, ...]]]


async def open_departments(house: House) -> tuple[Offer, ...]:
    """Open each department after those that it asks; return what they offer, in this order."""
    menu = await open_menu(start=house.start, ledger=house.ledger)
    accounts = await open_accounts(
        settings=house.settings, start=house.start, ledger=house.ledger, limiter=house.limiter
    )
    orders = await open_orders(
        settings=house.settings,
        start=house.start,
        ledger=house.ledger,
        limiter=house.limiter,
        closing=house.closing,
        registry=house.registry,
        board=menu.board,
    )
    payments = await open_payments(
        settings=house.settings,
        start=house.start,
        ledger=house.ledger,
        limiter=house.limiter,
        closing=house.closing,
        registry=house.registry,
        desk=orders.desk,
        board=menu.board,
    )
    notifications = await open_notifications(
        settings=house.settings,
        start=house.start,
        ledger=house.ledger,
        registry=house.registry,
    )
    return menu, accounts, orders, payments, notifications


OURS: Final = Departments(DEPARTMENTS, open_departments)
