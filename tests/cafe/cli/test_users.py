"""`cafe users` and `cafe tokens` without a shop that runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cafe.cli.operator_client import worker_url
from cafe.settings import SettingsError, read_settings
from tests.cafe.accounts.conftest import new_url, postgres
from tests.cafe.cli.running import run_command

__all__ = ["new_url", "postgres"]

PASSWORD = "correct horse  "
BOSS, OTHER = "boss@example.com", "other@example.com"
Cafe = Callable[..., str]


@pytest.fixture(params=["file", "postgresql"])
def cafe(
    request: pytest.FixtureRequest,
    new_url: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> Cafe:
    """Return what runs a command on a new database, and returns the line or lines it printed."""
    return on(new_url(request.param), capsys)


@pytest.fixture
def on_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cafe:
    """Return the same on SQLite only, for what has nothing to do with the database."""
    return on(f"sqlite:///{tmp_path}/cafe.db", capsys)


def on(url: str, capsys: pytest.CaptureFixture[str]) -> Cafe:
    def command(*args: str, code: int = 0) -> str:
        assert run_command([*args, "--database-url", url]) == code
        printed = capsys.readouterr()
        if code:
            assert printed.out == ""
            assert len(printed.err.splitlines()) == 1, printed.err
            return printed.err
        assert printed.err == ""
        return printed.out

    return command


def test_users_are_added_listed_and_changed(cafe: Cafe) -> None:
    password = ("--password", PASSWORD)
    assert cafe("users", "list") == ""
    added = cafe("users", "add", "Boss@Example.com", "--role", "manager", *password)
    assert added == "Boss@example.com  manager  active\n"
    assert "There is an account" in cafe(
        "users", "add", BOSS, "--role", "barista", *password, code=2
    )
    for refused in (("disable", BOSS), ("role", BOSS, "customer")):
        assert "the last active manager" in cafe("users", *refused, code=2)
    cafe("users", "add", OTHER, "--role", "manager", *password)
    assert cafe("users", "disable", BOSS) == "Boss@example.com  manager  disabled\n"
    assert cafe("users", "role", BOSS, "courier") == "Boss@example.com  courier  disabled\n"
    assert cafe("users", "enable", "BOSS@example.com") == "Boss@example.com  courier  active\n"
    assert cafe("users", "list") == f"Boss@example.com  courier  active\n{OTHER}  manager  active\n"
    assert "All " in cafe("db", "check")


def test_tokens_are_granted_shown_once_and_revoked(on_file: Cafe) -> None:
    token = on_file("tokens", "add", "till", "--role", "barista").strip()
    assert token.startswith("cafe_")
    listed = on_file("tokens", "list")
    assert listed.startswith("till  barista  ")
    assert token not in listed
    assert "token with this name" in on_file("tokens", "add", "till", "--role", "manager", code=2)
    assert on_file("tokens", "revoke", "till") == "till is revoked.\n"
    assert "no token with this name" in on_file("tokens", "revoke", "till", code=2)
    assert on_file("tokens", "list") == ""


def test_the_users_for_development_are_added_once_and_left_as_they_are(on_file: Cafe) -> None:
    assert on_file("users", "seed") == (
        "customer@example.com is added, as customer, with the password customer123.\n"
        "manager@example.com is added, as manager, with the password manager123.\n"
    )
    on_file("users", "role", "customer@example.com", "barista")
    assert on_file("users", "seed") == (
        "customer@example.com is there already, and is left as it is.\n"
        "manager@example.com is there already, and is left as it is.\n"
    )
    assert on_file("users", "list").startswith("customer@example.com  barista  active\n")


@pytest.mark.parametrize(
    ("env", "said"), [("production", "CAFE_ENV is production"), ("x", "CAFE_ENV: input should be")]
)
def test_users_with_public_passwords_are_for_development_only(
    on_file: Cafe, monkeypatch: pytest.MonkeyPatch, env: str, said: str
) -> None:
    monkeypatch.setenv("CAFE_ENV", env)
    assert said in on_file("users", "seed", code=2)
    monkeypatch.delenv("CAFE_ENV")
    assert on_file("users", "list") == ""


def test_all_pages_are_listed(on_file: Cafe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cafe.cli.users.PAGE", 2)
    emails = [f"{letter}@example.com" for letter in "abc"]
    for email in emails:
        on_file("users", "add", email, "--role", "barista", "--password", PASSWORD)
    listed = [line.split()[0] for line in on_file("users", "list").splitlines()]
    assert listed == emails


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("users", "add", "no address", "--role", "barista", "--password", PASSWORD), "e-mail"),
        (("users", "add", BOSS, "--role", "barista", "--password", "short"), "8 to 256"),
        (("users", "add", BOSS, "--role", "barista", "--password", "\udcff" * 8), "UTF-8"),
        (("users", "add", BOSS, "--role", "barista", "--password", "1234567\x07"), "control"),
        (("users", "add", BOSS, "--role", "boss", "--password", PASSWORD), "boss"),
        (("users", "role", "nobody@example.com", "barista"), "There is no user"),
        (("users", "role", "nobody", "barista"), "e-mail"),
        (("tokens", "add", "till", "--role", "customer"), "barista or manager"),
        (("tokens", "revoke", "till"), "no token"),
        (
            ("users", "list", "--url", "nowhere"),
            "'--url': nowhere is not an address like http://",
        ),
        (
            ("users", "list", "--url", "http://boss:secret@127.0.0.1:1/x"),
            "127.0.0.1:1 failed. If its baristas' port is elsewhere, give --url.",
        ),
    ],
)
def test_what_a_command_cannot_do_is_one_line(
    on_file: Cafe, args: tuple[str, ...], said: str
) -> None:
    if "--url" in args:
        on_file("users", "list")  # makes the secret
    line = on_file(*args, code=2)
    assert said in line
    assert PASSWORD not in line


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (b"", 2, "cafe: There is no password; give --password.\n"),
        (b"short\n", 2, "8 to 256"),
        (b"\xff" * 8, 2, "cafe: What was typed is not text in UTF-8.\n"),
        (PASSWORD.encode() + b"\nnext line", 0, ""),
    ],
)
def test_a_password_comes_from_a_pipe_or_is_missed_in_one_line(
    tmp_path: Path, typed: bytes, code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cafe", "users", "add", BOSS, "--role", "manager"],
        env={"CAFE_DATABASE_URL": f"sqlite:///{tmp_path}/cafe.db"},
        input=typed,
        capture_output=True,
        start_new_session=True,  # without a terminal
        check=False,
    )
    err = done.stderr.decode()
    assert (done.returncode, said in err, err.count("\n")) == (code, True, bool(said))


def test_a_database_in_memory_has_no_users_to_manage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "in memory" in on("sqlite://", capsys)("users", "list", code=2)


def test_a_shop_that_has_made_no_secret_cannot_be_asked(on_file: Cafe) -> None:
    assert "cannot be read" in on_file("users", "list", "--url", "http://127.0.0.1:1", code=2)


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:18081", "http://127.0.0.1:18081"),
        ("0.0.0.0:18081", "http://127.0.0.1:18081"),
        ("[::]:18081", "http://[::1]:18081"),
        ("[::1]:18081", "http://[::1]:18081"),
    ],
)
def test_a_running_shop_is_asked_where_its_settings_put_it(bind: str, url: str) -> None:
    assert worker_url(read_settings({"worker_bind": bind})) == (url, None)


def test_a_port_that_no_setting_tells_has_to_be_given() -> None:
    with pytest.raises(SettingsError, match="--url"):
        worker_url(read_settings({"worker_bind": "127.0.0.1:0"}))
