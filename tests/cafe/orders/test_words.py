"""The page for operators has a row for each word that the log, the metrics and the API share."""

from __future__ import annotations

import re

from cafe.orders.order import Action, Status
from tests.imports import ROOT


def rows() -> list[tuple[list[str], list[str]]]:
    """Return the actions and the statuses of each row of the table."""
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    table = page.partition("| `action` | `status` after it |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    return [(re.findall("`([^`]+)`", a), re.findall("`([^`]+)`", s)) for a, s in cells]


def test_each_action_has_its_row_and_each_status_is_one_of_the_api() -> None:
    named = [action for actions, _ in rows() for action in actions]
    assert sorted(named) == sorted(Action)
    assert {status for _, statuses in rows() for status in statuses} == set(Status)
