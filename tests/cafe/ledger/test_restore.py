"""A copy takes the ledger's place, whole, and what was there is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from cafe.cli.commands import run
from cafe.cli.database import restore_database
from cafe.ledger.backup import RestoreError, back_up, restore
from cafe.ledger.errors import DatabaseInUse, LedgerError, NotALedger, WrongDatabaseError
from tests.cafe.ledger.killed_restores import FORMER, RESTORED, holds, make_ledger
from tests.cafe.ledger.owner import ROOT, another_owner
from tests.cafe.ledger.test_sqlite_file import DAMAGED, FOREIGN, contents


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of another ledger."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    make_ledger(folder / "cafe.db", RESTORED, 2)
    back_up(f"sqlite:///{folder}/cafe.db", folder / "copy.db")
    return folder / "copy.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "bar").mkdir()
    return tmp_path / "bar" / "cafe.db"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_copy_takes_the_place_of_a_ledger_and_of_the_log_that_was_left_beside_it(
    file: Path, copy: Path
) -> None:
    make_ledger(file, FORMER, 3)
    before = file.read_bytes(), file.with_name("cafe.db-wal").read_bytes()
    aside = file.with_name("cafe.db.before-restore-1")
    assert restore(f"sqlite:///{file}", copy) == aside
    log = "cafe.db.before-restore-1-wal"
    assert names_in(file.parent) == ["cafe.db", aside.name, log, "cafe.db.lock"]
    assert (aside.read_bytes(), file.with_name(log).read_bytes()) == before
    assert holds(file) == f"{RESTORED} 8"
    assert holds(aside) == f"{FORMER} 12"


def test_a_copy_that_was_put_beside_another_history_s_log_by_hand_is_put_right(
    file: Path, copy: Path
) -> None:
    make_ledger(file, FORMER, 3)
    shutil.copy(copy, file)
    restore(f"sqlite:///{file}", copy)
    assert holds(file) == f"{RESTORED} 8"


def test_each_former_ledger_has_a_name_of_its_own(file: Path, copy: Path) -> None:
    for number in range(1, 4):
        make_ledger(file, FORMER, number)
        assert restore(f"sqlite:///{file}", copy) == Path(f"{file}.before-restore-{number}")
        file.unlink()
    for number in range(1, 4):
        assert holds(Path(f"{file}.before-restore-{number}")) == f"{FORMER} {4 * number}"


def test_where_there_is_no_ledger_yet_there_is_one_then(file: Path, copy: Path) -> None:
    assert restore(f"sqlite:///{file}", copy) is None
    assert names_in(file.parent) == ["cafe.db", "cafe.db.lock"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert holds(file) == f"{RESTORED} 8"


def test_a_ledger_that_came_with_its_log_is_restored_with_it_and_left_as_it_is(
    file: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source" / "cafe.db"
    source.parent.mkdir()
    make_ledger(source, RESTORED, 2)
    before = contents(source.parent)
    restore(f"sqlite:///{file}", source)
    assert contents(source.parent) == before
    assert holds(file) == f"{RESTORED} 8"


def test_what_the_ledger_s_users_may_do_they_may_do_with_the_copy(file: Path, copy: Path) -> None:
    make_ledger(file, FORMER, 1)
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12345, 12346)
    before = file.stat()
    copy.chmod(0o600)
    restore(f"sqlite:///{file}", copy)
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_a_damaged_ledger_is_replaced_too(file: Path, copy: Path) -> None:
    file.write_text("americano " * 1000, "utf-8")
    aside = restore(f"sqlite:///{file}", copy)
    assert aside is not None
    assert aside.read_text("utf-8").startswith("americano ")
    assert holds(file) == f"{RESTORED} 8"


def test_while_a_shop_owns_the_ledger_nothing_is_touched(file: Path, copy: Path) -> None:
    url = f"sqlite:///{file}"
    with another_owner(url) as owner:
        before = contents(file.parent)
        with pytest.raises(DatabaseInUse, match=f"in use by process {owner.pid}"):
            restore(url, copy)
        assert contents(file.parent) == before


@pytest.mark.parametrize("make", FOREIGN + DAMAGED)
def test_what_no_shop_could_open_is_not_restored(
    make: Callable[[Path], None], file: Path, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "cafe.db"
    make(source)
    make_ledger(file, FORMER, 1)
    before = contents(source.parent), contents(file.parent)
    with pytest.raises(NotALedger, match=r"^[^\n]+\.$"):
        restore(f"sqlite:///{file}", source)
    assert (contents(source.parent), contents(file.parent)) == before


def test_the_ledger_itself_is_no_copy(file: Path) -> None:
    make_ledger(file, FORMER, 1)
    with pytest.raises(RestoreError, match=r"is the ledger itself\.$"):
        restore(f"sqlite:///{file}", file)


def test_places_that_are_not_there_are_named(file: Path, copy: Path) -> None:
    with pytest.raises(LedgerError, match=r"none cannot be read: No such file or directory\.$"):
        restore(f"sqlite:///{file}", copy.with_name("none"))
    with pytest.raises(RestoreError, match=r"^There is no folder .*none\.$"):
        restore(f"sqlite:///{file.parent}/none/cafe.db", copy)
    with pytest.raises(WrongDatabaseError, match="in memory"):
        restore("sqlite://", copy)


def test_a_restore_that_is_killed_leaves_the_former_ledger_or_the_restored_one(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.cafe.ledger.killed_restores", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *killed, last = done.stdout.splitlines()
    assert last == f"0: {RESTORED} 8"
    found = [line.removeprefix("-9: ") for line in killed]
    assert set(found) == {f"{FORMER} 12", f"{RESTORED} 8"}
    # Once it is decided it stays so.
    assert found == sorted(found)


def test_a_restore_that_was_interrupted_is_finished_before_the_next_one(
    file: Path, copy: Path
) -> None:
    make_ledger(file, FORMER, 3)
    shutil.copy(copy, file.with_name("cafe.db.restored"))
    assert restore(f"sqlite:///{file}", copy) == file.with_name("cafe.db.before-restore-2")
    assert holds(file.with_name("cafe.db.before-restore-1")) == f"{FORMER} 12"
    assert holds(file.with_name("cafe.db.before-restore-2")) == f"{RESTORED} 8"


app = typer.Typer()
app.command("restore")(restore_database)


@app.callback()
def database() -> None:
    """Stand for `cafe db`."""


def test_the_command_says_where_the_former_ledger_is(
    file: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["restore", str(copy), "--database-url", f"sqlite:///{file}"]
    assert run(app, arguments) == 0
    assert run(app, arguments) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"The database is a copy of {copy} now. There was none before."
    assert second.endswith(f" now. The former one is {file}.before-restore-1.")


def test_what_is_wrong_with_a_restore_is_one_line(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("mine", "utf-8")
    assert run(app, ["restore", "none", "--database-url", f"sqlite:///{file}"]) == 2
    assert capsys.readouterr() == ("", "cafe: none cannot be read: No such file or directory.\n")
