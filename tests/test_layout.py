"""The design's directions of import, read from the sources.

Rule: what docs/design.md draws is checked here, so that the drawing stays true. Nothing is imported
to be looked at: the syntax trees tell.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for top in ("actors", "cafe") for path in (ROOT / top).rglob("*.py"))

NOT_DEPARTMENTS = ("serving", "cli")
TOP = {
    **dict.fromkeys(("__init__", "clock", "logs", "refusals"), "shared"),
    "settings": "settings",
    "__main__": "cli",
}
"""The modules at the top of cafe/ that are not parts of the composition root."""
API_NAMES = re.compile(r"\w+_api|schemas|guard|journal")
"""Where a department meets HTTP, the log and the metrics."""

# Who may import whom, `model <- actor <- api <- shop` spelled out. "other" is another department's;
# "address" is the one model that all may use who see a connection: the name of whoever asks.
# "order" is the table of transitions, which `cafe db check` holds against what the database says.
MAY_IMPORT = {
    "toolkit": {"toolkit"},
    "shared": {"toolkit", "shared"},
    "model": {"model"},
    "actor": {"toolkit", "shared", "model", "actor", "other actor", "database"},
    "api": {"toolkit", "shared", "serving", "model", "actor", "api", "other actor", "address"},
    "serving": {"shared", "serving", "address"},
    "settings": {"address"},
    "database": {"database"},
    "shop": {"toolkit", "shared", "serving", "settings", "shop", "other actor", "other api"}
    | {"address", "other database"},
    "cli": {"toolkit", "shared", "serving", "settings", "shop", "cli", "other database", "order"},
}
SHARED_MODELS = {"cafe.limits.address": "address", "cafe.orders.order": "order"}
STDLIB = frozenset(sys.stdlib_module_names)
THIRD_PARTIES = {
    "toolkit": {"trio", "outcome"},
    "shared": {"trio", "structlog", "orjson"},
    "model": set[str](),
    "actor": {"trio", "outcome"},
    "database": {"sqlalchemy", "alembic", "psycopg"},
}
# One module more than the layer's, and why.
EXCEPTIONS = {
    # pytest finds it by the package's entry point; a test below keeps it from being imported.
    "actors/testing/plugin.py": "pytest",
    # Whoever wants its figures has the library; the toolkit itself does without.
    "actors/instruments/prometheus.py": "prometheus_client",
}


class Import(NamedTuple):
    """One `import` or `from ... import`, by whom and of which module."""

    importer: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.importer.relative_to(ROOT)}:{self.line} imports {self.module}"


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


def department_of(path: Path) -> str | None:
    """Name the department that a module belongs to, if it belongs to one."""
    top, *inner = path.relative_to(ROOT).parts
    return (
        inner[0] if top == "cafe" and len(inner) > 1 and inner[0] not in NOT_DEPARTMENTS else None
    )


def layer_of(path: Path) -> str:
    """Name the layer of one of our modules, a row of MAY_IMPORT."""
    top, *inner = path.relative_to(ROOT).parts
    if top == "actors":
        return "toolkit"
    if len(inner) > 1 and inner[0] in NOT_DEPARTMENTS:
        return inner[0]
    if department_of(path) is None:
        return TOP.get(path.stem, "shop")
    if API_NAMES.fullmatch(path.stem):
        return "api"
    speaks_to_actors = any(
        i.module.split(".")[0] == "actors"
        or i.module == "cafe.refusals"
        or i.module.endswith(".messages")
        for i in imports_of(path)
    )
    if speaks_to_actors:
        return "actor"
    return "database" if department_of(path) == "ledger" else "model"


def is_allowed(found: Import) -> bool:
    """Say whether the design lets this module import that one."""
    layer = layer_of(found.importer)
    imported = path_of(found.module)
    top = found.module.split(".")[0]
    if imported is None:
        allowed = STDLIB | THIRD_PARTIES.get(layer, {top})
        return top in allowed or top == EXCEPTIONS.get(named(found.importer))
    theirs = department_of(imported)
    theirs_layer = layer_of(imported)
    if theirs is not None and theirs != department_of(found.importer):
        theirs_layer = SHARED_MODELS.get(found.module, f"other {theirs_layer}")
    return theirs_layer in MAY_IMPORT[layer]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_imports_point_only_the_way_that_the_design_draws(path: Path) -> None:
    assert [str(found) for found in imports_of(path) if not is_allowed(found)] == []


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        ("actors", "toolkit"),
        ("cafe.limits.address", "model"),
        ("cafe.limits.window", "model"),
        ("cafe.limits.rate_limiter", "actor"),
        ("cafe.orders.order", "model"),
        ("cafe.orders.queue", "model"),
        ("cafe.orders.dispatcher", "actor"),
        ("cafe.orders.client_api", "api"),
        ("cafe.orders.worker_api", "api"),
        ("cafe.orders.schemas", "api"),
    ],
)
def test_each_part_stands_in_the_layer_where_the_design_has_it(module: str, layer: str) -> None:
    path = path_of(module)
    assert path is not None
    assert layer_of(path) == layer


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
        ("cafe.orders.dispatcher", "fastapi"),
        ("cafe.orders.dispatcher", "cafe.limits.window"),
        ("cafe.orders.client_api", "cafe.limits.window"),
        ("cafe.orders.client_api", "cafe.shop"),
        ("cafe.limits.guard", "cafe.orders.order"),
        ("cafe.ledger.checking", "cafe.orders.order"),
        ("cafe.cli.db", "cafe.orders.queue"),
        ("cafe.serving.problem", "cafe.orders.client_api"),
    ],
)
def test_an_import_against_the_direction_is_found(importer: str, module: str) -> None:
    path = path_of(importer)
    assert path is not None
    assert not is_allowed(Import(path, 1, module))


def test_the_plugin_of_pytest_and_the_instruments_are_imported_by_none_of_the_toolkit() -> None:
    aside = [p for p in SOURCES if re.match(r"actors/(instruments/|testing/plugin)", named(p))]
    assert {named(path) for path in aside} > set(EXCEPTIONS)
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
    cafe = [path for path in SOURCES if layer_of(path) != "toolkit"]
    assert [named(path) for path in cafe if starts_of(path)] == ["cafe/shop.py"]
