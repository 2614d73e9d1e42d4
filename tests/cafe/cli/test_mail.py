"""`cafe mail`, on the database of a shop that does not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cafe.ledger.department import Entry, Event
from cafe.ledger.store import Unit, open_store
from cafe.letters.letter import Attempt, Change, Kind, Letter, Outbox, new_letter
from cafe.letters.tables import entry_of
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.cli.running import run_command
from tests.cafe.letters.mailroom import NOON, STATIONERY, facts_of

ADDRESSES = ["ada@example.org", "ada@example.org", "bob@example.org", "\x1b[2J@example.org"]


def letter(position: int) -> Letter:
    """Return the letter of an event."""
    return new_letter(
        position,
        f"b{position}",
        Kind.RECEIVED,
        NOON,
        address=ADDRESSES[position - 1],
        domain="cafe.example",
    )


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a ledger with letters: set aside, due, sent, and one to be retried."""
    monkeypatch.setenv("CAFE_JWT_SECRET", "s" * 32)
    url = f"sqlite:///{tmp_path}/cafe.db"
    store = open_store(url)
    store.begin()
    assert DEPARTMENTS  # with it the tables of all are defined
    outbox, changes = Outbox([], {}), list[Change]()
    for position in range(1, 5):
        store.commit([Unit("bookings", (Entry(Event(f"b{position}", "x", None, "y", NOON)),))])
        changes.append(outbox.add(letter(position), NOON))
    for position, outcome in ((1, "550"), (3, "250"), (4, "\x1b[31m")):
        made = Attempt(letter(position).letter_id, 1, NOON, outcome, "no \x1b[0m", 0.1)
        changes += outbox.attempted(made, NOON)
    content = STATIONERY.message(letter(1), facts_of("b1", ADDRESSES[0], name="Zoë"), None)
    entries = [entry_of(one, content if one.before is None else None) for one in changes]
    store.commit([Unit("letters", tuple(entries))])
    store.close()
    return url


def test_a_list_shows_what_became_of_each_and_escapes_it(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["mail", "list", "--database-url", url]) == 0
    printed = capsys.readouterr().out
    for word in ("set_aside", "due", "sent", "retrying", "550", "250", r"\x1b[31m", r"\x1b[2J"):
        assert word in printed
    assert "\x1b" not in printed


def test_a_list_is_of_one_booking_or_state_and_has_a_bound(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, number in (
        (["--booking", "b1"], 1),
        (["--state", "set_aside"], 1),
        (["--most", "3"], 3),
    ):
        assert run_command(["mail", "list", *options, "--database-url", url]) == 0
        assert capsys.readouterr().out.count("let_") == number
    assert run_command(["mail", "list", "--booking", "b9", "--database-url", url]) == 0
    assert capsys.readouterr().out == "There are none.\n"


def test_a_letter_is_shown_with_its_attempts_and_its_text_but_not_its_token(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["mail", "show", letter(1).letter_id, "--database-url", url]) == 0
    printed = capsys.readouterr().out
    for line in (
        "To: ada@example.org",
        "Subject: We have received your request for a table",
        "State: set_aside",
        "Next attempt: none",
        "Hello Zoë,",
        "https://cafe.example/bookings/b1/cancel?token=***",
    ):
        assert line in printed.splitlines()
    assert r"550 no \x1b[0m" in printed
    assert "t0ken" not in printed


def test_all_that_are_set_aside_are_retried_at_the_next_start(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["mail", "retry", "--all", "--database-url", url]) == 0
    assert run_command(["mail", "retry", "--all", "--database-url", url]) == 0
    assert capsys.readouterr().out == "1 is attempted again.\n0 are attempted again.\n"
    assert run_command(["mail", "list", "--state", "set_aside", "--database-url", url]) == 0
    assert capsys.readouterr().out == "There are none.\n"


def test_one_is_retried_by_its_id(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["mail", "retry", letter(4).letter_id, "--database-url", url]) == 0
    assert capsys.readouterr().out == "1 is attempted again.\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["retry"], "Name one letter, or give --all."),
        (["retry", "let_1", "--all"], "Name one letter, or give --all."),
        (["retry", "let_9_0"], "There is no such letter."),
        (["show", "let_9_0"], "There is no such letter."),
        (["show", "let/../9"], "There is nothing at this path; /docs tells what there is."),
        (["retry", letter(3).letter_id], "Nothing to retry: it is sent."),
    ],
)
def test_what_is_refused_is_one_line_and_exit_code_2(
    url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert run_command(["mail", *arguments, "--database-url", url]) == 2
    assert capsys.readouterr() == ("", f"cafe: {line}\n")
