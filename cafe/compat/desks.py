"""The departments' desks, which the modules of the systems ask."""

from __future__ import annotations

from dataclasses import dataclass

from actors import Ref
from cafe.accounts.desk import Desk as AccountDesk
from cafe.bookings.desk import BookingDesk
from cafe.delivery.desk import DeliveryDesk
from cafe.limits.rate_limiter import RateLimiter
from cafe.menu.keeper import MenuKeeper
from cafe.menu.messages import Board
from cafe.orders.desk import Desk as OrderDesk
from cafe.payments.till import Till


@dataclass(frozen=True, slots=True)
class Desks:
    """The interfaces of the departments."""

    limiter: Ref[RateLimiter]
    board: Board
    keeper: Ref[MenuKeeper]
    accounts: AccountDesk
    orders: OrderDesk
    till: Till
    delivery: DeliveryDesk
    bookings: BookingDesk
