"""The secret of a ledger's ids is made once, and is wherever the ledger is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from cafe.cli.commands import run_command
from cafe.ledger.backup import back_up, restore
from cafe.ledger.store import open_store
from cafe.orders.ids import OrderIds
from cafe.orders.queries import load_ids
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.postgres import PostgresServer, programs
from tests.cafe.orders.counter import open_ledger

UNSIGNED = "bPqX_tOKH9QLV1k8"


def ids_of(url: str) -> OrderIds:
    """Open a ledger as a shop does, and let go of it again."""
    with closing(open_store(url)) as store:
        return store.maintain(load_ids)


def test_ids_are_known_after_a_restart(durable_url: str) -> None:
    order_id = ids_of(durable_url).new()
    for _ in range(2):
        assert ids_of(durable_url).may_exist(order_id)


def test_each_ledger_has_a_secret_of_its_own(new_url: Callable[[str], str]) -> None:
    order_id = ids_of(new_url("file")).new()
    assert not ids_of(new_url("file")).may_exist(order_id)


def test_a_new_ledger_knows_no_ids_without_a_signature(durable_url: str) -> None:
    assert not ids_of(durable_url).may_exist(UNSIGNED)


def test_a_ledger_with_a_secret_passes_the_check(durable_url: str) -> None:
    ids_of(durable_url)
    assert run_command(["db", "check", "--database-url", durable_url]) == 0


def test_ids_are_known_after_a_file_was_restored(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, copy = new_url("file"), tmp_path / "copy.db"
    order_id = ids_of(url).new()
    back_up(url, copy)
    for target in (url, new_url("file")):
        restore(target, copy)
        assert ids_of(target).may_exist(order_id)


def test_ids_are_known_after_a_server_s_ledger_was_restored(
    new_url: Callable[[str], str],
    postgres: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, archive = programs(), tmp_path / "archive"
    assert folder is not None
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    url, other = new_url("postgresql"), postgres.url(postgres.new_database())
    order_id = ids_of(url).new()
    dump = ["pg_dump", "--format=custom", f"--file={archive}"]
    subprocess.run([*dump, f"--dbname={url.replace('+psycopg', '')}"], check=True)
    command = ["pg_restore", f"--dbname={other.replace('+psycopg', '')}", str(archive)]
    subprocess.run(command, check=True)
    assert ids_of(other).may_exist(order_id)


async def test_a_shop_waits_for_the_database_to_make_the_secret(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - time passes at once
) -> None:
    store = FaultyStore()
    async with open_ledger(store) as ledger, trio.open_nursery() as nursery:
        store.link.gone = True

        async def come_back() -> None:
            await trio.sleep(600)
            store.link.gone = False
            store.link.mute = 1  # it is written, and nobody is told

        nursery.start_soon(come_back)
        ids = await ledger.prepare(load_ids)
        assert trio.current_time() >= 600
    assert store.maintain(load_ids).may_exist(ids.new())
