"""`--quick`: the tests to run while working, in under a minute on two cores.

Rule: a test is left out because of what it uses, so that there is no list to keep: it starts a
process, runs the command line (which opens a shop for each command) or uses PostgreSQL. That is
read from its fixtures, its parameters and the imports of its module. Of a table of cases the first
ones are run; and the marks `once` and `slow` leave a test out.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from types import ModuleType

import pytest

from tests.cafe.ledger import postgres

CASES = 2
"""The number of cases of a table, which may have thousands: the first is the usual one."""
COMMAND_LINE = "tests.cafe.cli.running"
POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql_server", "shared_url"})
"""Fixtures, and the parameter of others that stands for it."""
COMMANDS = frozenset({"importer", "pytester"})
"""Fixtures that run the command line, and pytest."""


def add_option(parser: pytest.Parser) -> None:
    """Add `--quick`."""
    parser.addoption("--quick", action="store_true", help="leave out tests that take long")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the quick tests; the others count as deselected."""
    starting: dict[ModuleType, bool] = {}
    cases: Counter[str] = Counter()
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        if is_quick(item, starting):
            cases[of_all_cases(item)] += 1
            (kept if cases[of_all_cases(item)] <= CASES else left_out).append(item)
        else:
            left_out.append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    """Skip a test that asks for PostgreSQL only when it runs."""
    if fixturedef.argname in POSTGRESQL:
        pytest.skip("--quick starts no PostgreSQL")


def of_all_cases(item: pytest.Item) -> str:
    """Return the name that all cases of a test have."""
    return item.nodeid.partition("[")[0]


def is_quick(item: pytest.Item, starting: dict[ModuleType, bool]) -> bool:
    """Return whether a test is quick; `starting` caches the answer for its module."""
    if not isinstance(item, pytest.Function):
        return True
    if item.get_closest_marker("once") or item.get_closest_marker("slow"):
        return False
    fixtures = set(item.fixturenames)
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    module = item.module
    assert module is not None
    if module not in starting:
        starting[module] = starts_processes(module)
    return not (
        starting[module] or fixtures & (POSTGRESQL | COMMANDS) or "postgresql" in parameters
    )


def starts_processes(module: ModuleType) -> bool:
    """Return whether a module imports `subprocess`, or a helper from a module that does."""
    imported = list(vars(module).values())
    origins = {getattr(one, "__module__", None) for one in imported}
    helpers = [sys.modules[name] for name in origins if name in sys.modules and is_helper(name)]
    return (
        COMMAND_LINE in origins
        or subprocess in imported
        or any(subprocess in vars(helper).values() for helper in helpers)
    )


def is_helper(name: str) -> bool:
    """Return whether it is one of the tests' modules, but not PostgreSQL's (see POSTGRESQL)."""
    return name.startswith("tests.") and name != postgres.__name__
