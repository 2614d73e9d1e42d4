"""docs/promises.md names tests that exist, and that are swept over schedules."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "docs/promises.md").read_text("utf-8"))


@cache
def parsed(file: str) -> ast.Module:
    return ast.parse((ROOT / "tests/actors" / file).read_text("utf-8"))


def is_sweep(node: ast.expr) -> bool:
    """Return whether an expression is `pytest.mark.schedules`, without a smaller number."""
    return ast.unparse(node) == "pytest.mark.schedules"


def test_every_promise_has_its_row() -> None:
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "docs/promises.md").read_text("utf-8"), re.MULTILINE)
    assert rows == [str(number) for number in range(1, 21)]
    assert len(NAMED) > 30


@pytest.mark.parametrize(("file", "test"), NAMED, ids=str)
def test_a_named_test_exists_and_is_swept(file: str, test: str) -> None:
    module = parsed(file)
    functions = [node for node in module.body if isinstance(node, ast.AsyncFunctionDef)]
    (function,) = (node for node in functions if node.name == test)
    whole_module = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        # One mark, not a list of them.
        and is_sweep(node.value)
        for node in module.body
    )
    assert whole_module or any(is_sweep(mark) for mark in function.decorator_list)
