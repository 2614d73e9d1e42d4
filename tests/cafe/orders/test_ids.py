"""Ids of orders: an id of this ledger is accepted after each restart, and no other text is."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from cafe.ledger.backup import back_up, restore
from cafe.ledger.store import open_store
from cafe.orders.kept_queries import load_ids
from cafe.orders.order import MAC_BYTES, SECRET_BYTES, UNSIGNED_LENGTH, OrderIds
from cafe.orders.tables import orders
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.postgres import PostgresServer, programs
from tests.cafe.orders.counter import open_ledger

SECRET = bytes(range(SECRET_BYTES))
SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
LENGTH = 24
UNSIGNED = "bPqX_tOKH9QLV1k8"


@given(secret=SECRETS, has_unsigned=st.booleans())
def test_a_new_id_is_accepted_by_each_ledger_with_its_secret(
    secret: bytes, *, has_unsigned: bool
) -> None:
    order_id = OrderIds(secret).new()
    assert OrderIds(secret, has_unsigned=has_unsigned).may_exist(order_id)


@given(st.one_of(st.text(), st.text(alphabet="AZaz09-_", min_size=LENGTH, max_size=LENGTH)))
def test_a_text_that_is_no_id_is_refused(order_id: str) -> None:
    assert not OrderIds(SECRET).may_exist(order_id)


@given(secret=SECRETS, other=SECRETS)
def test_an_id_of_another_ledger_is_refused(secret: bytes, other: bytes) -> None:
    assert OrderIds(other).may_exist(OrderIds(secret).new()) is (secret == other)


@given(
    place=st.integers(0, LENGTH - 1),
    letter=st.characters(codec="utf-8"),
    has_unsigned=st.booleans(),
)
def test_an_id_with_one_character_changed_is_refused(
    place: int, letter: str, *, has_unsigned: bool
) -> None:
    ids = OrderIds(SECRET, has_unsigned=has_unsigned)
    order_id = ids.new()
    changed = order_id[:place] + letter + order_id[place + 1 :]
    assert ids.may_exist(changed) is (changed == order_id)


@pytest.mark.parametrize("has_unsigned", [False, True])
def test_a_part_of_an_id_and_an_id_with_a_suffix_are_refused(*, has_unsigned: bool) -> None:
    ids = OrderIds(SECRET, has_unsigned=has_unsigned)
    order_id = ids.new()
    for length in range(LENGTH):
        assert ids.may_exist(order_id[:length]) is (has_unsigned and length == UNSIGNED_LENGTH)
    for more in ("A", "=", "\n", " ", "/", "\0", order_id, "x" * 1_000):
        assert not ids.may_exist(order_id + more)
        assert not ids.may_exist(more + order_id)


@pytest.mark.parametrize("has_unsigned", [False, True])
@pytest.mark.parametrize(
    "order_id", ["", "\0", "é" * 16, "\ud800" * 24, "☕" * 24, "\uff11" * 24, "x" * 100_000]
)
def test_an_empty_a_huge_or_a_non_ascii_text_is_refused(
    order_id: str, *, has_unsigned: bool
) -> None:
    assert not OrderIds(SECRET, has_unsigned=has_unsigned).may_exist(order_id)


def test_an_unsigned_id_is_accepted_where_there_are_such_orders() -> None:
    assert OrderIds(SECRET, has_unsigned=True).may_exist(UNSIGNED)
    assert not OrderIds(SECRET).may_exist(UNSIGNED)


def test_an_id_fits_into_its_column_and_into_a_path() -> None:
    order_id = OrderIds(SECRET).new()
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}", order_id)
    assert len(order_id) == UNSIGNED_LENGTH + MAC_BYTES * 4 // 3 == LENGTH
    assert len(order_id) <= getattr(orders.c.order_id.type, "length", 0)


def test_ids_do_not_repeat() -> None:
    ids = OrderIds(SECRET)
    assert len({ids.new() for _ in range(1_000)}) == 1_000


def test_the_secret_is_not_shown() -> None:
    shown = repr(OrderIds(b"secret" * 6))
    assert "secret" not in shown


@given(secret=SECRETS, former=st.text(), other=st.text())
def test_an_imported_order_has_the_same_id_each_time_and_no_other_has_it(
    secret: bytes, former: str, other: str
) -> None:
    ids = OrderIds(secret)
    order_id = ids.of_imported("functech", former)
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}", order_id)
    assert ids.may_exist(order_id)
    assert (OrderIds(secret).of_imported("functech", other) == order_id) is (former == other)
    assert ids.of_imported("coffee-shop", former) != order_id


def test_an_imported_order_s_id_cannot_be_made_without_the_secret() -> None:
    of_others = OrderIds(b"another secret").of_imported("functech", "7")
    assert of_others != OrderIds(SECRET).of_imported("functech", "7")
    assert not OrderIds(SECRET).may_exist(of_others)


# The secret in the ledger


def ids_of(url: str) -> OrderIds:
    """Return the ids of a ledger, which is opened as a shop does, and closed."""
    with closing(open_store(url)) as store:
        return store.maintain(load_ids)


def test_ids_are_accepted_after_a_restart(durable_url: str) -> None:
    order_id = ids_of(durable_url).new()
    for _ in range(2):
        assert ids_of(durable_url).may_exist(order_id)


def test_each_ledger_has_a_secret_of_its_own(new_url: Callable[[str], str]) -> None:
    order_id = ids_of(new_url("file")).new()
    assert not ids_of(new_url("file")).may_exist(order_id)


def test_a_new_ledger_refuses_unsigned_ids(durable_url: str) -> None:
    assert not ids_of(durable_url).may_exist(UNSIGNED)


def test_a_ledger_with_a_secret_passes_the_check(durable_url: str) -> None:
    ids_of(durable_url)
    assert run_command(["db", "check", "--database-url", durable_url]) == 0


def test_ids_are_accepted_after_a_file_was_restored(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, copy = new_url("file"), tmp_path / "copy.db"
    order_id = ids_of(url).new()
    back_up(url, copy)
    for target in (url, new_url("file")):
        restore(target, copy)
        assert ids_of(target).may_exist(order_id)


def test_ids_are_accepted_after_a_postgresql_ledger_was_restored(
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


async def test_a_shop_waits_for_a_lost_database_to_make_the_secret(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 - time passes at once
) -> None:
    store = FaultyStore()
    async with open_ledger(store) as ledger, trio.open_nursery() as nursery:
        store.link.gone = True

        async def come_back() -> None:
            await trio.sleep(600)
            store.link.gone = False
            store.link.mute = 1  # the commit succeeds, and its reply is lost

        nursery.start_soon(come_back)
        ids = await ledger.prepare(load_ids)
        assert trio.current_time() >= 600
    assert store.maintain(load_ids).may_exist(ids.new())
