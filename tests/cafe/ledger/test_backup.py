"""A copy holds what the ledger holds, is whole or not there, and never takes another's place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cafe.ledger.backup import BackupError, back_up
from cafe.ledger.checking import open_reader
from cafe.ledger.errors import NotALedger
from cafe.ledger.store import open_store
from cafe.ledger.tables import metadata
from tests.cafe.ledger.order_histories import Tickets, load, unit, unit_each

Rows = dict[str, list[tuple[object, ...]]]


def rows_of(url: str) -> Rows:
    with open_reader(url) as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for name, table in metadata.tables.items()
        }


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def fill(url: str) -> Rows:
    tickets = Tickets()
    with closing(open_store(url)) as store:
        store.commit(unit_each(tickets.delivered("first")))
        store.commit([unit(tickets.place("second", key="again"))])
    return rows_of(url)


def test_a_copy_of_a_file_is_a_ledger_that_a_shop_can_open(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, copy = new_url("file"), tmp_path / "copy.db"
    held = fill(url)
    assert back_up(url, copy) == copy.stat().st_size
    assert rows_of(f"sqlite:///{copy}") == held
    with closing(open_store(f"sqlite:///{copy}")) as store:
        assert load(store).last_number == 2


def test_a_file_is_copied_while_its_shop_runs(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_url("file")
    with closing(open_store(url)) as store:
        store.commit(unit_each(Tickets().delivered("first")))
        back_up(url, tmp_path / "copy.db")
        store.commit(unit_each(Tickets(1).delivered("second")))
    copied = rows_of(f"sqlite:///{tmp_path}/copy.db")
    assert [row[0] for row in copied["orders"]] == ["first"]


def test_a_copy_is_for_its_owner_only_and_nothing_lies_beside_it(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, folder = new_url("file"), tmp_path / "copies"
    folder.mkdir()
    fill(url)
    back_up(url, folder / "copy.db")
    assert names_in(folder) == ["copy.db"]
    assert (folder / "copy.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("link", [False, True])
def test_what_is_there_is_never_overwritten(
    new_url: Callable[[str], str], tmp_path: Path, *, link: bool
) -> None:
    url, there = new_url("file"), tmp_path / "there"
    fill(url)
    if link:
        there.symlink_to(tmp_path / "nowhere")
    else:
        there.write_text("mine", "utf-8")
    with pytest.raises(BackupError, match="is there already"):
        back_up(url, there)
    assert there.is_symlink() if link else there.read_text("utf-8") == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_place_that_cannot_be_written_is_one_line(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_url("file")
    fill(url)
    with pytest.raises(BackupError, match=r"copy cannot be written: No such file or directory\.$"):
        back_up(url, tmp_path / "none" / "copy")


def test_what_is_no_ledger_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("americano", "utf-8")
    with pytest.raises(NotALedger):
        back_up(f"sqlite:///{tmp_path}/text", tmp_path / "copy")
    assert names_in(tmp_path) == ["text"]
