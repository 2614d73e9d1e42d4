"""`--quick` leaves tests out because of what they use."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.quick import starts_processes


@pytest.mark.parametrize(
    "module",
    [
        "tests.test_interrupts",
        "tests.cafe.cli.test_menu",
        "tests.cafe.ledger.test_owner",
    ],
)
def test_a_module_that_starts_processes_is_not_quick(module: str) -> None:
    assert starts_processes(import_module(module))


@pytest.mark.parametrize(
    "module",
    ["tests.actors.test_ask", "tests.cafe.orders.test_desk", "tests.cafe.accounts.test_checks"],
)
def test_one_that_starts_none_is_quick_also_if_some_of_its_cases_use_postgresql(
    module: str,
) -> None:
    assert not starts_processes(import_module(module))
