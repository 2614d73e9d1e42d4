"""The café's orders and payments with a menu by hand, and callers who say themselves who they are.

Rule: as `docs/examples/shop.py`. A token is a role and an account, as in `customer:ada`: so these
tests need neither sign-ins nor a manager who fills the menu.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Final

import typer
from starlette.types import Scope

from cafe.cli.commands import run
from cafe.cli.opening import open_shop
from cafe.cli.serve import serve
from cafe.delivery.messages import Coverage, District
from cafe.http.authentication import Caller, Role, bearer_of
from cafe.menu.messages import Board, Menu, Product, Variation
from cafe.offer import House, Offer
from cafe.orders.department import ORDERS, open_orders
from cafe.payments.department import PAYMENTS, open_payments
from cafe.shop.departments import Departments

PROGRAM: Final = (sys.executable, "-m", "tests.system.paying_shop")
MENU: Final = Menu(
    [
        Product(
            "latte",
            "Latte",
            "",
            "coffee",
            1,
            400,
            sold_out=False,
            variations=(Variation("latte-vanilla", "Vanilla", 30),),
        ),
        Product("tea", "Tea", "", "tea", 2, 250, sold_out=True),
        Product("water", "Water", "", "cold", 3, 0, sold_out=False),
    ]
)


HARBOUR: Final = District("harbour", "Harbour")
DISTRICTS: Final = (HARBOUR, District("hills", "Hills"))
"""No courier serves the hills."""


async def authenticate(scope: Scope) -> Caller | None:
    """Believe what the token says."""
    token = bearer_of(scope)
    if token is None:
        return None
    role, _, account_id = token.partition(":")
    return Caller(Role(role), account_id or None, account_id or None)


async def open_departments(house: House) -> tuple[Offer, ...]:
    """Open orders and payments."""
    board, coverage = Board(MENU), Coverage()
    coverage.show(DISTRICTS, {HARBOUR.district_id})
    orders = await open_orders(house, board=board)
    payments = await open_payments(house, desk=orders.desk, board=board, coverage=coverage)
    return orders, payments, Offer(name="accounts", authenticate=authenticate)


PAYING: Final = Departments((ORDERS, PAYMENTS), open_departments)


@wraps(serve)  # with its options
def serve_paying(**options: str | None) -> None:
    """Run the shop until it has shut down."""
    if status := open_shop(options, PAYING):
        raise typer.Exit(status)


if __name__ == "__main__":
    app = typer.Typer()
    app.command()(serve_paying)
    sys.exit(run(app, sys.argv[1:]))
