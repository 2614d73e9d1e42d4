"""The floors of the house and who may import whom, held against the sources.

Rule: the floors are a list here, not what a module happens to import; each module stands on one.
What docs/design.md draws is checked, so that the drawing stays true. Nothing is imported to be
looked at: the syntax trees tell.
"""

from __future__ import annotations

import ast
import re
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for top in ("actors", "cafe") for path in (ROOT / top).rglob("*.py"))
STDLIB = frozenset(sys.stdlib_module_names)


class Floor(NamedTuple):
    """Modules that stand side by side, what they may import of ours, and of others."""

    modules: tuple[str, ...]
    """Patterns of paths; the first floor with a match is a module's."""
    may_import: tuple[str, ...]
    third_parties: frozenset[str] | None = None
    """None: any."""


FLOORS = {
    "toolkit": Floor(("actors/*",), ("toolkit",), frozenset({"trio", "outcome"})),
    "shared": Floor(
        (
            "cafe/__init__.py",
            "cafe/clock.py",
            "cafe/first_of.py",
            "cafe/lines.py",
            "cafe/logs.py",
            "cafe/printable.py",
            "cafe/refusals.py",
        ),
        ("toolkit", "shared"),
        frozenset({"trio", "structlog", "orjson"}),
    ),
    # Knows rows and events, and no department's words.
    "ledger": Floor(
        ("cafe/ledger/*",),
        ("toolkit", "shared", "ledger", "migrations"),
        frozenset({"sqlalchemy", "alembic", "psycopg", "trio", "outcome", "structlog"}),
    ),
    "migrations": Floor(
        ("cafe/migrations/*",), ("ledger", "migrations"), frozenset({"sqlalchemy", "alembic"})
    ),
    # Pure: values, transitions, time passed in. `order.py` may be read by all who show orders,
    # `address.py` by all who see a connection.
    "address": Floor(("cafe/limits/address.py",), (), frozenset()),
    "order": Floor(("cafe/orders/order.py",), (), frozenset()),
    "model": Floor(
        (
            "cafe/orders/__init__.py",
            "cafe/orders/brewing.py",
            "cafe/orders/ids.py",
            "cafe/orders/keys.py",
            "cafe/orders/queue.py",
            "cafe/orders/recent.py",
            "cafe/orders/tickets.py",
            "cafe/limits/__init__.py",
            "cafe/limits/bans.py",
            "cafe/limits/headers.py",
            "cafe/limits/window.py",
        ),
        ("model", "order", "address"),
        frozenset(),
    ),
    # What the ledger needs to know of a department.
    "tables": Floor(
        (
            "cafe/orders/checks.py",
            "cafe/orders/department.py",
            "cafe/orders/kept_keys.py",
            "cafe/orders/lives.py",
            "cafe/orders/tables.py",
        ),
        ("ledger", "model", "order", "tables"),
        frozenset({"sqlalchemy"}),
    ),
    "actor": Floor(
        (
            "cafe/orders/closing.py",
            "cafe/orders/desk.py",
            "cafe/orders/dispatcher.py",
            "cafe/orders/headers.py",
            "cafe/orders/messages.py",
            "cafe/orders/refusals.py",
            "cafe/orders/view.py",
            "cafe/orders/waiting.py",
            "cafe/limits/rate_limiter.py",
        ),
        ("toolkit", "shared", "ledger", "model", "order", "tables", "actor"),
        frozenset({"trio", "outcome"}),
    ),
    "serving": Floor(("cafe/serving/*",), ("shared", "serving", "address")),
    # Where a department meets HTTP, the log and the metrics.
    "api": Floor(
        ("cafe/orders/*", "cafe/limits/guard.py"),
        (
            "toolkit",
            "shared",
            "ledger",
            "address",
            "order",
            "model",
            "tables",
            "actor",
            "serving",
            "api",
        ),
    ),
    "settings": Floor(("cafe/settings.py",), ("address",)),
    "cli": Floor(
        ("cafe/cli/*", "cafe/__main__.py"),
        ("toolkit", "shared", "serving", "settings", "ledger", "order", "tables", "shop", "cli"),
    ),
    # The composition root.
    "shop": Floor(
        ("cafe/*",),
        (
            "toolkit",
            "shared",
            "ledger",
            "address",
            "tables",
            "actor",
            "serving",
            "api",
            "settings",
            "shop",
        ),
    ),
}
# One import more than the floor's, and why.
EXCEPTIONS = {
    # pytest finds it by the package's entry point; a test below keeps it from being imported.
    "actors/testing/plugin.py": "pytest",
    # Whoever wants its figures has the library; the toolkit itself does without.
    "actors/instruments/prometheus.py": "prometheus_client",
    # How far a clock may be wrong: a number, which the ledger and the queue share.
    "cafe/orders/queue.py": "cafe.ledger.clock",
}


class Import(NamedTuple):
    """One `import` or `from ... import`, by whom and of which module."""

    importer: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{named(self.importer)}:{self.line} imports {self.module}"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def path_of(module: str) -> Path | None:
    """Find one of our modules by its dotted name."""
    base = ROOT.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def imports_of(path: Path) -> list[Import]:
    """List what a module imports; a name that is itself a module of ours counts as that module."""
    found: list[Import] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.append(Import(path, node.lineno, inner if path_of(inner) else node.module))
    return found


def floor_of(path: Path) -> str:
    """Name the floor that a module stands on."""
    return next(
        name
        for name, floor in FLOORS.items()
        if any(fnmatch(named(path), pattern) for pattern in floor.modules)
    )


def is_allowed(found: Import) -> bool:
    """Say whether the design lets this module import that one."""
    floor = FLOORS[floor_of(found.importer)]
    if found.module.startswith(EXCEPTIONS.get(named(found.importer), "nothing")):
        return True
    imported = path_of(found.module)
    if imported is not None:
        return floor_of(imported) in floor.may_import
    top = found.module.split(".")[0]
    others = floor.third_parties
    return top in STDLIB or others is None or top in others


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_imports_point_only_the_way_that_the_design_draws(path: Path) -> None:
    assert [str(found) for found in imports_of(path) if not is_allowed(found)] == []


@pytest.mark.parametrize("pattern", [one for floor in FLOORS.values() for one in floor.modules])
def test_every_pattern_of_a_floor_matches_a_module(pattern: str) -> None:
    assert any(fnmatch(named(path), pattern) for path in SOURCES)


@pytest.mark.parametrize(
    ("importer", "module"),
    [
        ("actors", "cafe.refusals"),
        ("actors", "httpx"),
        ("actors.testing", "pytest"),
        ("actors.testing.plugin", "hypothesis"),
        ("actors.instruments.slow_turns", "prometheus_client"),
        ("actors.instruments.prometheus", "pytest"),
        ("cafe.orders.order", "trio"),
        ("cafe.orders.order", "pydantic"),
        ("cafe.orders.order", "cafe.orders.dispatcher"),
        ("cafe.orders.queue", "cafe.orders.tables"),
        ("cafe.orders.dispatcher", "fastapi"),
        ("cafe.orders.tables", "cafe.orders.dispatcher"),
        ("cafe.orders.client_api", "cafe.shop"),
        ("cafe.ledger.checking", "cafe.orders.order"),
        ("cafe.ledger.ledger", "cafe.orders.tables"),
        ("cafe.cli.db", "cafe.orders.queue"),
        ("cafe.serving.problem", "cafe.orders.client_api"),
    ],
)
def test_an_import_against_the_direction_is_found(importer: str, module: str) -> None:
    path = path_of(importer)
    assert path is not None
    assert not is_allowed(Import(path, 1, module))


WORDS = re.compile(
    r"\b(orders?|baristas?|customers?|coffees?|tickets?|drinks?|couriers?)\b", re.IGNORECASE
)


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if named(p).startswith("cafe/ledger/")], ids=named
)
def test_no_departments_word_stands_in_the_ledger(path: Path) -> None:
    """Order is also the word for a sequence: that is spelled "in order", "the order of"."""
    text = re.sub(r"\b(in|the|same|an) order\b|order_by|sort order", "", path.read_text("utf-8"))
    assert WORDS.findall(text) == []


def test_the_plugin_of_pytest_and_the_instruments_are_imported_by_none_of_the_toolkit() -> None:
    aside = [p for p in SOURCES if re.match(r"actors/(instruments/|testing/plugin)", named(p))]
    assert {named(path) for path in aside} > {one for one in EXCEPTIONS if one[:6] == "actors"}
    found = [i for path in SOURCES for i in imports_of(path) if path_of(i.module) in aside]
    assert {named(i.importer) for i in found} == {"cafe/shop.py"}


def starts_of(path: Path) -> list[int]:
    """List the lines where a module opens a system of actors or starts an actor."""
    calls = [
        n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)
    ]
    starters = re.compile(r"open_system|(.+\.)?system\.start")
    return [call.lineno for call in calls if starters.fullmatch(ast.unparse(call.func))]


def test_only_the_shop_starts_actors() -> None:
    cafe = [path for path in SOURCES if floor_of(path) != "toolkit"]
    assert [named(path) for path in cafe if starts_of(path)] == ["cafe/shop.py"]
