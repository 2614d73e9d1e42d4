"""`cafe notifications`, on the database of a shop that does not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cafe.ledger.department import Entry, Event
from cafe.ledger.store import Unit, open_store
from cafe.notifications.notification import Attempt, Change, Outbox, StatusChange, Topic
from cafe.notifications.tables import entries_of
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.cli.running import run_command

SUBJECTS = ("o1", "o1", "o2", "b1\x1b[2J", "b2")


def change(position: int, subject_id: str) -> StatusChange:
    """Return a change of an order, or of a booking if its id begins with a b."""
    topic = Topic.BOOKING if subject_id.startswith("b") else Topic.ORDER
    details = f'{{"number": {position}}}' if topic is Topic.ORDER else "{}"
    return StatusChange(position, topic, subject_id, details, "ready", 100.0)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a ledger: of an order one is set aside and one held, others are sent."""
    monkeypatch.setenv("CAFE_JWT_SECRET", "s" * 32)
    url = f"sqlite:///{tmp_path}/cafe.db"
    store = open_store(url)
    store.begin()
    assert DEPARTMENTS  # with it the tables of all are defined
    outbox, changes = Outbox([]), list[Change]()
    for position, subject_id in enumerate(SUBJECTS, 1):
        event = change(position, subject_id)
        entry = Entry(Event(f"e{position}", "place", None, "waiting", 100.0))
        store.commit([Unit("orders", (entry,))])
        changes += outbox.note(event, 100.0)
    first, _second, third, fourth, _fifth = list(outbox.by_id)
    for number in range(1, 8):
        changes += outbox.attempted(Attempt(first, number, 100.0, "503", 0.1), 100.0)
    changes += outbox.attempted(Attempt(third, 1, 100.0, "204", 0.1), 100.0)
    changes += outbox.attempted(Attempt(fourth, 1, 100.0, "\x1b[31m", 0.1), 100.0)
    store.commit([Unit("notifications", tuple(entries_of(changes, {})))])
    store.close()
    return url


def test_a_list_shows_what_became_of_each_and_escapes_it(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["notifications", "list", "--database-url", url]) == 0
    printed = capsys.readouterr().out
    outcomes = ("set_aside", "held", "delivered", "retrying", "503", "204", r"\x1b[31m")
    for word in (*outcomes, "order 1", "order 3", r"booking b1\x1b[2J"):
        assert word in printed
    assert "\x1b" not in printed


def test_a_list_is_of_one_order_or_booking_or_of_those_set_aside_and_has_a_bound(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, number in (
        (["--order", "o1"], 2),
        (["--booking", "b2"], 1),
        (["--set-aside"], 1),
        (["--most", "3"], 3),
    ):
        assert run_command(["notifications", "list", *options, "--database-url", url]) == 0
        assert capsys.readouterr().out.count("evt_") == number
    assert run_command(["notifications", "list", "--booking", "b9", "--database-url", url]) == 0
    assert capsys.readouterr().out == "There are none.\n"


def test_all_that_are_set_aside_are_retried_at_the_next_start(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["notifications", "retry", "--all", "--database-url", url]) == 0
    assert run_command(["notifications", "retry", "--all", "--database-url", url]) == 0
    assert capsys.readouterr().out == "1 is attempted again.\n0 are attempted again.\n"
    assert run_command(["notifications", "list", "--set-aside", "--database-url", url]) == 0
    assert capsys.readouterr().out == "There are none.\n"


def test_one_is_retried_by_its_id(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    event_id = change(1, "o1").event_id
    assert run_command(["notifications", "retry", event_id, "--database-url", url]) == 0
    assert capsys.readouterr().out == "1 is attempted again.\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "Name one notification, or give --all."),
        (["evt_1", "--all"], "Name one notification, or give --all."),
        (["evt_9_0"], "There is no such notification."),
        (
            [change(2, "o1").event_id],
            "Nothing to retry: it is held until the one before it is delivered: retry that one.",
        ),
        (
            [change(3, "o2").event_id],
            "Nothing to retry: it is delivered.",
        ),
    ],
)
def test_what_cannot_be_retried_is_one_line_and_exit_code_2(
    url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert run_command(["notifications", "retry", *arguments, "--database-url", url]) == 2
    assert capsys.readouterr() == ("", f"cafe: {line}\n")
