"""A standby without a server: its wait is said once, and leaves no owner behind when cancelled."""

from __future__ import annotations

import pytest

from cafe.ledger.errors import DatabaseInUse
from cafe.ledger.standby import Standby


def test_that_another_process_owns_the_ledger_is_said_once() -> None:
    said: list[None] = []
    standby = Standby(lambda: said.append(None))
    assert not standby.waits
    for _ in range(3):
        standby.pause(0.0)
    assert standby.waits
    assert said == [None]


def test_a_wait_that_was_cancelled_does_not_begin_go_on_or_end() -> None:
    standby, ends = Standby(), list[str]()
    standby.cancel()
    with pytest.raises(DatabaseInUse):
        standby.begin(lambda: ends.append("aborted"))
    with pytest.raises(DatabaseInUse):
        standby.pause(0.0)
    with pytest.raises(DatabaseInUse):
        standby.end(lambda: ends.append("closed"))
    assert ends == []


def test_a_cancel_ends_the_statement_that_runs_and_later_the_ledger() -> None:
    standby, ends = Standby(), list[str]()
    standby.begin(lambda: ends.append("aborted"))
    standby.cancel()
    assert ends == ["aborted"]
    standby = Standby()
    standby.begin(lambda: ends.append("aborted"))
    standby.end(lambda: ends.append("closed"))
    standby.cancel()
    assert ends == ["aborted", "closed"]
