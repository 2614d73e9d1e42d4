"""The floors of the house: which room may import which, compared with the sources.

Rule: the floors are a list here, not what a module happens to import. A room imports from itself
and from the rooms below it, so no two rooms import each other. `make graph` prints what they
import.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.imports import ROOT, SOURCES, Import, file_of, imports_of, is_marker, named, parsed

STDLIB = frozenset(sys.stdlib_module_names)

FLOORS = (
    "actors",
    "actors/instruments",
    "actors/testing",
    "cafe",
    "cafe/http",
    "cafe/limits",
    "cafe/setting_types.py",
    "cafe/settings.py",
    "cafe/server",
    "cafe/migrations",
    "cafe/ledger",
    "cafe/bus",
    "cafe/offer.py",
    "cafe/menu",
    "cafe/accounts",
    "cafe/orders",
    "cafe/delivery",
    "cafe/payments",
    "cafe/bookings",
    "cafe/letters",
    "cafe/notifications",
    "cafe/events",
    "cafe/operations",
    "cafe/compat",
    "cafe/screens",
    "cafe/shop",
    "cafe/cli",
    "cafe/players",
    "cafe/__main__.py",
)
"""Folders, and single files that stand on a floor of their own, the lowest first."""
ROOMS = tuple(floor for floor in FLOORS if not floor.endswith(".py"))
"""The folders."""
DEPARTMENTS = (
    "cafe/menu",
    "cafe/accounts",
    "cafe/orders",
    "cafe/delivery",
    "cafe/payments",
    "cafe/bookings",
    "cafe/letters",
    "cafe/notifications",
)
MOST_ROOMS = 17 + len(DEPARTMENTS)
MOST_MODULES = 222 + 20 * len(DEPARTMENTS)
"""So many for each department; a room or a module elsewhere raises the first number."""

FEWER: dict[str, tuple[str, ...]] = {
    "actors": ("actors",),
    "actors/instruments": ("actors", "actors/instruments"),
    "actors/testing": ("actors", "actors/testing"),
    "cafe/server": ("cafe/server",),
    "cafe/migrations": ("cafe/migrations",),
    # Knows rows and events. What it refuses has a status, as every refusal has.
    "cafe/ledger": ("actors", "cafe", "cafe/http/refusals.py", "cafe/migrations", "cafe/ledger"),
}
"""What these rooms may import of ours, where that is less than all on and below their floor."""

MODELS = (
    "cafe/accounts/account.py",
    "cafe/accounts/lru.py",
    "cafe/accounts/sign_in.py",
    "cafe/accounts/throttle.py",
    "cafe/bookings/agenda.py",
    "cafe/bookings/book.py",
    "cafe/bookings/booking.py",
    "cafe/bookings/period.py",
    "cafe/bookings/table.py",
    "cafe/bookings/tokens.py",
    "cafe/delivery/courier.py",
    "cafe/delivery/coverage.py",
    "cafe/delivery/delivery.py",
    "cafe/delivery/districts.py",
    "cafe/delivery/fleet.py",
    "cafe/letters/letter.py",
    "cafe/limits/address.py",
    "cafe/limits/bans.py",
    "cafe/limits/gateway.py",
    "cafe/limits/grants.py",
    "cafe/limits/last_hour.py",
    "cafe/limits/window.py",
    "cafe/menu/catalogue.py",
    "cafe/menu/first.py",
    "cafe/menu/product.py",
    "cafe/names.py",
    "cafe/notifications/notification.py",
    "cafe/orders/holdings.py",
    "cafe/orders/order.py",
    "cafe/orders/pause.py",
    "cafe/orders/queue.py",
    "cafe/orders/ready_board.py",
    "cafe/payments/book.py",
    "cafe/payments/breaker.py",
    "cafe/payments/lane.py",
    "cafe/payments/payment.py",
)
"""Pure: values, transitions as tables, time passed in. They import the standard library and each
other."""

THIRD_PARTIES: dict[str, frozenset[str]] = {
    "actors": frozenset({"trio", "outcome"}),
    "actors/instruments": frozenset({"trio", "prometheus_client"}),
    "actors/testing": frozenset({"trio", "outcome", "pytest", "_pytest"}),
    "cafe/ledger": frozenset({"sqlalchemy", "alembic", "psycopg", "trio", "outcome", "structlog"}),
    "cafe/migrations": frozenset({"sqlalchemy", "alembic"}),
}
"""What these rooms may import of others; the rest any library that the project has."""


def room_of(file: str) -> str:
    """Return the entry of FLOORS that a file belongs to: its own, or the nearest folder's."""
    folders = [file, *(parent.as_posix() for parent in Path(file).parents)]
    return next(folder for folder in folders if folder in FLOORS)


def objection(found: Import) -> str | None:
    """Return why the design does not let this module import that one; None if it does."""
    room, imported = room_of(found.importer), file_of(found.module)
    if imported is None:
        return objection_to_library(found, room)
    other = room_of(imported)
    if found.importer in MODELS and imported not in MODELS:
        return "a model imports models only"
    if FLOORS.index(other) > FLOORS.index(room):
        return "upward"
    if room in FEWER and not {imported, other}.intersection(FEWER[room]):
        return f"{room} imports {', '.join(FEWER[room])} only"
    if room != other and {room, other} <= set(DEPARTMENTS) and not imported.endswith("messages.py"):
        return "of another department only its messages"
    return None


def objection_to_library(found: Import, room: str) -> str | None:
    library = found.module.split(".")[0]
    if library in STDLIB:
        return None
    if found.importer in MODELS:
        return "a model imports no library"
    if library not in THIRD_PARTIES.get(room, {library}):
        return f"{room} does without"
    return None


def test_imports_point_only_downward() -> None:
    found = [one for path in SOURCES for one in imports_of(path)]
    assert [f"{one}: {why}" for one in found if (why := objection(one))] == []


def test_each_floor_and_each_model_is_there() -> None:
    listed = [
        *FLOORS,
        *MODELS,
        *FEWER,
        *THIRD_PARTIES,
        *(one for few in FEWER.values() for one in few),
    ]
    assert [one for one in listed if not (ROOT / one).exists()] == []


@pytest.mark.parametrize(
    ("importer", "module"),
    [
        ("actors/system.py", "cafe.http.refusals"),
        ("actors/system.py", "httpx"),
        ("actors/system.py", "prometheus_client"),
        ("actors/testing/probe.py", "hypothesis"),
        ("actors/instruments/slow_turns.py", "pytest"),
        ("cafe/orders/order.py", "trio"),
        ("cafe/orders/order.py", "cafe.orders.dispatcher"),
        ("cafe/orders/queue.py", "cafe.orders.tables"),
        ("cafe/orders/customer_api.py", "cafe.shop.shop"),
        ("cafe/ledger/checking.py", "cafe.orders.order"),
        ("cafe/limits/guard.py", "cafe.orders.messages"),
        ("cafe/http/problem.py", "cafe.orders.customer_api"),
        ("cafe/server/connection.py", "cafe.limits.rate_limiter"),
        ("cafe/migrations/env.py", "cafe.ledger.tables"),
    ],
)
def test_an_import_against_the_direction_is_found(importer: str, module: str) -> None:
    assert (ROOT / importer).is_file()
    assert objection(Import(importer, 1, module)) is not None


def test_the_house_has_few_rooms_and_modules() -> None:
    assert len(ROOMS) <= MOST_ROOMS
    assert len([path for path in SOURCES if not is_marker(path)]) <= MOST_MODULES
    # What is nested deeper belongs to the room above it.
    assert {room_of(named(path)) for path in SOURCES} == set(FLOORS)


WORDS = re.compile(
    r"\b(orders?|baristas?|customers?|coffees?|tickets?|drinks?|couriers?)\b", re.IGNORECASE
)


def test_no_departments_word_stands_in_the_ledger() -> None:
    """Order is also the word for a sequence: that is spelled "in order", "the order of"."""
    found: dict[str, list[str]] = {}
    for path in SOURCES:
        if named(path).startswith("cafe/ledger/"):
            text = re.sub(
                r"\b(in|the|same|an) order\b|order_by|sort order", "", path.read_text("utf-8")
            )
            found[named(path)] = WORDS.findall(text)
    assert {name: words for name, words in found.items() if words} == {}


ROOTS = ("cafe/shop/front.py", "cafe/shop/house.py", "cafe/shop/shop.py")
"""The composition roots, one for each kind of process."""


def test_the_pytest_plugin_and_the_instruments_are_imported_by_the_shop_only() -> None:
    aside = re.compile(r"actors/(instruments/|testing/plugin)")
    found = [one for path in SOURCES for one in imports_of(path)]
    importers = {
        one.importer for one in found if (imported := file_of(one.module)) and aside.match(imported)
    }
    assert importers == set(ROOTS)


def starts_of(path: Path) -> list[int]:
    """List the lines where a module opens a system or a group of actors, or starts an actor."""
    calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    starters = re.compile(r"open_system|(.+\.)?(system|\w*group)\.(start|group)")
    return [call.lineno for call in calls if starters.fullmatch(ast.unparse(call.func))]


def test_only_the_shop_starts_actors_and_groups() -> None:
    cafe = [path for path in SOURCES if named(path).startswith("cafe/")]
    starting = [named(path) for path in cafe if starts_of(path)]
    assert starting == sorted(["cafe/shop/offline.py", *ROOTS])
