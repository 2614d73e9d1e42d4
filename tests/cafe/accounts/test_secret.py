"""The secret that signs tokens: where it is kept, and who can read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cafe.accounts.secret import find_secret, load_file, load_secret, open_secret
from cafe.ledger.ledger import new_ledger, running
from cafe.ledger.store import Store, open_store
from cafe.settings import Settings, SettingsError, read_settings
from cafe.shop.process import start_clock

GIVEN = "this secret is given by the settings"


def settings(url: str, **given: str) -> Settings:
    return read_settings({"database_url": url, **given})


async def opened(url: str, **given: str) -> bytes:
    """Return the secret that a shop on this database has."""
    store = open_store(url)
    try:
        async with running(new_ledger(store, start_clock()), 5.0) as ledger:
            return await open_secret(settings(url, **given), ledger)
    finally:
        store.close()


async def test_the_secret_of_the_settings_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cafe.db"
    assert await opened(url, jwt_secret=GIVEN) == GIVEN.encode()
    assert find_secret(settings(url, jwt_secret=GIVEN)) == GIVEN.encode()
    assert not (tmp_path / "cafe.db.secret").exists()


async def test_the_first_start_makes_a_secret_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/cafe.db", tmp_path / "cafe.db.secret"
    before = os.umask(0)
    try:
        secret = await opened(url)
    finally:
        os.umask(before)
    assert len(secret) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await opened(url) == find_secret(settings(url)) == secret
    assert set(os.listdir(tmp_path)) <= {  # noqa: PTH208 - an async function
        f"cafe.db{end}" for end in ("", ".secret", ".lock", "-wal", "-shm")
    }


async def test_on_a_server_a_table_has_it(new_url: Callable[[str], str]) -> None:
    url = new_url("postgresql")
    with pytest.raises(SettingsError, match="start it first"):
        find_secret(settings(url))
    secret = await opened(url)
    assert len(secret) >= 32
    assert await opened(url) == find_secret(settings(url)) == secret


def test_each_database_has_a_secret_of_its_own(store: Store) -> None:
    first = store.maintain(load_secret)
    assert store.maintain(load_secret) == first
    other = open_store("sqlite://")
    assert other.maintain(load_secret) != first
    other.close()


def test_a_secret_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "cafe.db.secret"
    load_file(file)
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_file(file)


@pytest.mark.parametrize("text", ["", "short", "   \n" + "x" * 31])
def test_a_file_without_a_secret_is_not_overwritten(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cafe.db.secret"
    file.touch(0o600)
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match="holds no secret"):
        load_file(file)
    assert file.read_text("utf-8") == text


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        load_file(tmp_path / "none" / "cafe.db.secret")
