"""One owner a ledger, and the next one goes on where it ended."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from cafe.ledger.database import upgrade
from cafe.ledger.errors import DatabaseGone, DatabaseInUse, LedgerChanged
from cafe.ledger.store import open_store
from tests.cafe.ledger.order_histories import (
    Tickets,
    cancel,
    find,
    find_key,
    last_position,
    load,
    start,
    unit,
    unit_each,
)
from tests.cafe.ledger.owner import another_owner


def test_a_ledger_goes_on_after_it_was_closed_and_opened(durable_url: str) -> None:
    store = open_store(durable_url)
    tickets = Tickets()
    placed = tickets.place("a", key="k")
    started = start(tickets.place("b").order)
    store.commit([*unit_each(tickets.delivered("c")), unit(placed), unit(started)])
    before, last = load(store), last_position(store)
    store.close()
    store = open_store(durable_url)
    assert (load(store), last_position(store)) == (before, last)
    assert before.live == (placed.order, started.order)
    assert find_key(store, "k") == placed.order
    store.close()


def test_numbers_and_positions_never_go_back_even_if_all_orders_have_ended(
    durable_url: str,
) -> None:
    tickets, seen = Tickets(), [(0, 0)]
    for order_id in "abc":
        store = open_store(durable_url)
        last = store.begin()
        seen.append((last.position if last else 0, load(store).last_number))
        assert seen[-1] >= seen[-2]
        placed = tickets.place(order_id)
        store.commit([unit(placed, cancel(placed.order))])
        store.close()
    assert seen == [(0, 0), (0, 0), (2, 1), (4, 2)]


def test_a_second_owner_is_refused_at_once(durable_url: str) -> None:
    store = open_store(durable_url)
    with pytest.raises(DatabaseInUse, match=r"^\S.*\.$"):
        open_store(durable_url)
    with pytest.raises(DatabaseInUse):
        upgrade(durable_url)
    store.commit(unit_each(Tickets().delivered("a")))
    store.close()
    open_store(durable_url).close()


def test_a_second_owner_is_refused_with_the_process_id_of_the_first(file: Path) -> None:
    url = f"sqlite:///{file}"
    with another_owner(url) as owner, pytest.raises(DatabaseInUse) as caught:
        open_store(url)
    assert str(caught.value) == f"{file} is in use by process {owner.pid}."


def test_another_takes_over_what_was_committed_when_the_owner_is_killed(durable_url: str) -> None:
    with another_owner(durable_url) as owner:
        with pytest.raises(DatabaseInUse):
            open_store(durable_url)
        owner.kill()
        owner.wait()
        store = open_store(durable_url)
    snapshot, last = load(store), store.begin()
    assert last is not None
    assert (last.position, snapshot.last_number) == (16, 4)
    assert [order.status for order in snapshot.recent] == ["delivered"] * 4
    store.commit(unit_each(Tickets(4).delivered("e")))
    store.close()


def test_two_names_of_one_file_are_one_ledger(tmp_path: Path) -> None:
    (tmp_path / "other.db").symlink_to(tmp_path / "cafe.db")
    store = open_store(f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(DatabaseInUse):
        open_store(f"sqlite:///{tmp_path}/cafe.db")
    store.close()


def test_ledgers_in_memory_are_each_one_s_own() -> None:
    first, second = open_store("sqlite://"), open_store("sqlite://")
    first.commit(unit_each(Tickets().delivered("a")))
    assert find(second, "a") is None
    first.close()
    second.close()


def test_a_commit_before_the_beginning_does_not_write_over_what_is_there(durable_url: str) -> None:
    store = open_store(durable_url)
    store.commit(unit_each(Tickets().delivered("a")))
    store.close()
    store = open_store(durable_url)
    with pytest.raises(LedgerChanged):
        store.commit(unit_each(Tickets().delivered("b")))
    store.close()


def test_the_lock_file_holds_the_present_owner_s_process_id_only(file: Path) -> None:
    lock = file.with_name("cafe.db.lock")
    lock.write_text("99999999\n")
    store = open_store(f"sqlite:///{file}")
    assert lock.read_text() == f"{os.getpid()}\n"
    store.close()


def test_a_lock_file_that_was_removed_is_taken_again_with_the_next_transaction(file: Path) -> None:
    url, lock = f"sqlite:///{file}", file.with_name("cafe.db.lock")
    with closing(open_store(url)) as store:
        tickets = Tickets()
        store.commit(unit_each(tickets.delivered("a")))
        lock.unlink()
        units = unit_each(tickets.delivered("b"))
        with pytest.raises(DatabaseGone, match=r"lock file of .*cafe\.db was removed\.$"):
            store.commit(units)
        store.commit(units)
        assert lock.read_text() == f"{os.getpid()}\n"
        with pytest.raises(DatabaseInUse):
            open_store(url)


def test_a_shop_whose_lock_file_was_removed_stops_when_another_has_taken_a_new_one(
    file: Path,
) -> None:
    url, lock = f"sqlite:///{file}", file.with_name("cafe.db.lock")
    with closing(open_store(url)) as store:
        lock.unlink()
        units = unit_each(Tickets().delivered("ours"))
        with another_owner(url) as owner:
            with pytest.raises(DatabaseGone, match="lock file"):
                store.commit(units)
            for _ in range(2):
                with pytest.raises(DatabaseInUse, match=f"process {owner.pid}"):
                    store.commit(units)
            owner.kill()
            owner.wait()
        # Free again, but another process has written to it.
        with pytest.raises(LedgerChanged):
            store.commit(units)
        assert last_position(store) == 16


def test_a_lock_file_that_was_replaced_by_another_is_noticed(file: Path) -> None:
    lock = file.with_name("cafe.db.lock")
    with closing(open_store(f"sqlite:///{file}")) as store:
        lock.with_name("other").touch()
        lock.with_name("other").replace(lock)
        with pytest.raises(DatabaseGone, match="lock file"):
            store.ping()
        store.ping()
