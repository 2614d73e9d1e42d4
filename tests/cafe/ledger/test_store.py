"""What goes into the store comes out of it, on each database."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from cafe.ledger.department import Entry, Put
from cafe.ledger.errors import LedgerError, RowRefused
from cafe.ledger.log import read_page
from cafe.ledger.store import Committed, Store, Unit, open_store
from cafe.orders.order import Order, Status
from cafe.orders.queries import Snapshot
from cafe.orders.tables import entry_of, orders, put_key, row_of
from tests.cafe.ledger.order_histories import (
    NOON,
    Tickets,
    cancel,
    failure_of,
    find,
    find_key,
    last_position,
    load,
    refused,
    start,
    unit,
    unit_each,
)


def named(order: Order, name: str) -> Order:
    return order._replace(name=name)


def test_a_new_ledger_begins_with_nothing(store: Store) -> None:
    assert store.begin() is None
    assert load(store) == Snapshot()


def test_an_order_is_found_as_it_stood_at_the_last_commit(store: Store) -> None:
    tickets = Tickets()
    placed = tickets.place("a")
    store.commit([unit(placed)])
    assert find(store, "a") == placed.order
    started = start(placed.order)
    store.commit([unit(started)])
    assert find(store, "a") == started.order
    assert find(store, "b") is None


def test_a_row_comes_back_with_every_type_as_it_went_in(store: Store) -> None:
    placed = Tickets().place("a", key="k", at=0.1 + 0.2)
    order = placed.order._replace(abandoned=True, lapsed=True, number=2**40, name="'; -- ☕ %s ?")
    store.commit([unit(placed._replace(order=order))])
    found = find(store, "a")
    assert found == order
    assert found is not None
    assert [type(value) for value in found] == [type(value) for value in order]


def test_events_come_back_in_order_as_they_were_written(store: Store) -> None:
    tickets = Tickets()
    placed = tickets.place("a", at=0.1 + 0.2)
    units = [unit(placed, cancel(placed.order)), *unit_each(tickets.delivered("b"))]
    logged = store.commit(units).logged
    assert [one.position for one in logged] == [1, 2, 3, 4, 5, 6]
    assert [one.event for one in logged] == [entry.event for one in units for entry in one.entries]
    read = store.read(lambda connection: read_page(connection, 0))
    assert read == [one._replace(changes=()) for one in logged]
    assert store.begin() == read[-1]


def test_every_column_is_changed_but_those_that_never_change(store: Store) -> None:
    tickets = Tickets()
    placed = tickets.place("a")
    changed = start(placed.order).order._replace(
        bound=False, abandoned=True, lapsed=True, status=Status.READY, ended_at=NOON + 99
    )
    store.commit([unit(placed)])
    entry = entry_of(placed)
    store.commit([Unit("orders", (entry._replace(changes=(Put(orders, row_of(changed)),)),))])
    assert find(store, "a") == changed
    differing = {
        column.name
        for column, one, other in zip(orders.c, row_of(placed.order), row_of(changed), strict=True)
        if one != other
    }
    constant = {column.name for column in orders.c if column.info.get("constant")}
    assert differing | constant | {"order_id"} == set(orders.c.keys())
    assert not differing & constant


def test_a_commit_may_hold_whole_lives(store: Store) -> None:
    tickets = Tickets()
    store.commit([*unit_each(tickets.delivered("a")), *unit_each(tickets.delivered("b"))])
    assert [order.status for order in load(store).recent] == [Status.DELIVERED] * 2


def test_a_commit_without_units_changes_nothing(store: Store) -> None:
    assert store.commit([]) == Committed([])
    store.commit(unit_each(Tickets().delivered("a")))
    assert store.commit([]) == Committed([])
    assert last_position(store) == 4


def test_an_entry_without_an_event_changes_rows_and_takes_no_position(store: Store) -> None:
    placed = Tickets().place("a")
    store.commit([unit(placed)])
    silent = Entry(None, (Put(orders, row_of(placed.order._replace(bound=False))),))
    assert store.commit([Unit("orders", (silent,))]) == Committed([])
    found = find(store, "a")
    assert found is not None
    assert not found.bound
    assert last_position(store) == 1


def test_the_snapshot_has_live_orders_by_number_and_those_that_ended_last(store: Store) -> None:
    tickets = Tickets()
    first, second, third = (tickets.place(order_id) for order_id in "zyx")
    started = start(first.order)
    cancelled = cancel(second.order)
    life = tickets.delivered("w")
    store.commit([unit(first, second, third), unit(started, cancelled), unit(*life)])
    assert load(store) == Snapshot(
        live=(started.order, third.order),
        recent=(cancelled.order, life[-1].order),
        last_number=4,
        brewing_seconds=(40.0,),
    )


def test_the_last_twenty_brewing_times_are_there_oldest_first(store: Store) -> None:
    tickets = Tickets()
    for seconds in range(25):
        store.commit(unit_each(tickets.delivered(f"order {seconds}", brewed=float(seconds))))
    assert load(store).brewing_seconds == tuple(map(float, range(5, 25)))


@pytest.mark.parametrize("empty", [False, True])
def test_a_store_that_does_not_know_the_last_event_writes_only_to_an_empty_log(
    new_url: Callable[[str], str], *, empty: bool
) -> None:
    url = new_url("file")
    if not empty:
        store = open_store(url)
        store.commit(unit_each(Tickets().delivered("a")))
        store.close()
    store = open_store(url)
    if empty:
        store.commit(unit_each(Tickets().delivered("b")))
    else:
        assert "does not end with event 0" in str(
            failure_of(store, unit_each(Tickets().delivered("b")))
        )
        assert find(store, "b") is None
        store.begin()
        store.commit(unit_each(Tickets(1).delivered("b")))
        assert last_position(store) == 8
    assert find(store, "b") is not None
    store.close()


# All or nothing


def test_what_is_written_together_is_there_at_the_end_of_the_block(store: Store) -> None:
    tickets = Tickets()
    store.begin()
    with store.together() as write:
        write(unit_each(tickets.delivered("a")))
        write([])
        write([unit(tickets.place("b"))])
    assert last_position(store) == 5
    store.commit([unit(tickets.place("c"))])
    assert [find(store, one) is not None for one in "abc"] == [True, True, True]
    assert last_position(store) == 6


class StoppedError(Exception):
    """The block has ended early."""


@pytest.mark.parametrize("number", [1, 3])
def test_of_what_is_written_together_nothing_is_left_if_a_part_fails(
    store: Store, number: int
) -> None:
    """The number 1 is that of another order, which the database refuses."""
    tickets = Tickets()
    store.begin()
    store.commit([unit(tickets.place("a"))])
    last = Tickets(number - 1).place("c")
    with pytest.raises(RowRefused if number == 1 else StoppedError):
        write_and_stop(store, [unit(tickets.place("b"))], [unit(last)])
    assert (find(store, "b"), last_position(store)) == (None, 1)
    store.commit([unit(tickets.place("d"))])
    assert last_position(store) == 2


def write_and_stop(store: Store, *parts: Sequence[Unit]) -> None:
    """Write some parts together, and raise StoppedError behind the last."""
    with store.together() as write:
        for units in parts:
            write(units)
        raise StoppedError


# Refused units


def test_a_unit_that_the_tables_forbid_is_left_out_and_the_rest_is_written(store: Store) -> None:
    tickets = Tickets()
    store.commit([unit(tickets.place("a"))])
    again = Tickets().place("b")
    assert again.order.number == 1
    committed = store.commit([unchained(unit(again)), unit(tickets.place("c"))])
    refusal = committed.refused[0]
    assert refusal is not None
    assert refusal.reason == "conflict"
    assert refused(committed) == [0]
    assert [(one.position, one.event.subject) for one in committed.logged] == [(2, "c")]
    assert (find(store, "b"), last_position(store)) == (None, 2)
    store.commit([unit(tickets.place("d"))])
    assert last_position(store) == 3


def unchained(one: Unit) -> Unit:
    return one._replace(chained=False)


def test_with_a_chained_unit_those_of_its_department_behind_it_are_left_out(store: Store) -> None:
    tickets = Tickets()
    store.commit([unit(tickets.place("a"))])
    before, bad, behind = tickets.place("b"), Tickets().place("c"), tickets.place("d")
    other = unit(tickets.place("e"))._replace(department="others")
    committed = store.commit([unit(before), unit(bad), other, unit(behind)])
    assert isinstance(committed.refused[1], RowRefused)
    assert committed.refused[3] is None
    assert refused(committed) == [1, 3]
    assert [find(store, one) is not None for one in "bcde"] == [True, False, False, True]
    assert [one.position for one in committed.logged] == [2, 3]


def test_of_a_unit_of_which_one_row_is_refused_nothing_is_written(store: Store) -> None:
    tickets = Tickets()
    placed = tickets.place("a", key="k")
    stray = Entry(None, (put_key(placed.order._replace(order_id="nobody", key="l")),))
    whole = unit(placed)
    committed = store.commit([whole._replace(entries=(*whole.entries, stray))])
    assert refused(committed) == [0]
    assert (find(store, "a"), find_key(store, "k"), last_position(store)) == (None, None, 0)
    store.commit([whole])
    assert find_key(store, "k") == placed.order


def test_where_every_unit_is_refused_the_next_commit_goes_on(store: Store) -> None:
    tickets = Tickets()
    store.commit([unit(tickets.place("a"))])
    for _ in range(2):
        committed = store.commit([unit(Tickets().place("b"))])
        assert (committed.logged, refused(committed)) == ([], [0])
    store.commit([unit(tickets.place("c"))])
    assert last_position(store) == 2


def test_a_text_that_has_no_encoding_is_refused_alone(store: Store) -> None:
    tickets = Tickets()
    good, bad = tickets.place("a"), tickets.place("b")
    committed = store.commit([unit(good), unit(bad._replace(order=named(bad.order, "\ud800")))])
    refusal = committed.refused[1]
    assert refusal is not None
    assert refusal.reason == "invalid"
    assert find(store, "a") == good.order
    assert find(store, "b") is None


def test_a_refused_row_s_error_holds_no_names(store: Store) -> None:
    store.commit([unit(Tickets().place("a"))])
    refusal = store.commit([unit(Tickets().place("b"))]).refused[0]
    assert refusal is not None
    assert "Zoë" not in str(refusal)


# Keys


def test_a_key_finds_its_order_whatever_becomes_of_it(store: Store) -> None:
    for change in Tickets().delivered("a", key="k"):
        store.commit([unit(change)])
        assert find_key(store, "k", NOON) == change.order


def test_a_key_is_found_as_long_as_it_holds(store: Store) -> None:
    placed = Tickets().place("a", key="k", at=NOON)
    store.commit([unit(placed)])
    assert find_key(store, "k", NOON) == placed.order
    assert find_key(store, "k", NOON + 0.001) is None


def test_a_key_is_of_one_address(store: Store) -> None:
    store.commit([unit(Tickets().place("a", key="k", address="203.0.113.8"))])
    assert find_key(store, "k") is None


@pytest.mark.parametrize("together", [True, False])
def test_a_cancelled_order_s_key_is_free(store: Store, *, together: bool) -> None:
    tickets = Tickets()
    placed = tickets.place("a", key="k")
    units = [unit(placed), unit(cancel(placed.order))]
    for group in [units] if together else [[one] for one in units]:
        store.commit(group)
    assert find_key(store, "k") is None
    again = tickets.place("b", key="k")
    store.commit([unit(again)])
    assert find_key(store, "k") == again.order


def test_a_key_freed_and_taken_in_one_commit_is_the_new_order_s(store: Store) -> None:
    tickets = Tickets()
    placed = tickets.place("a", key="k")
    cancelled, again = cancel(placed.order), tickets.place("b", key="k")
    store.commit([unit(placed), unit(cancelled), unit(again)])
    assert find_key(store, "k") == again.order


def test_a_key_is_an_ended_order_s_until_another_takes_it(store: Store) -> None:
    tickets = Tickets()
    store.commit(unit_each(tickets.delivered("a", key="k")))
    again = tickets.place("b", key="k", at=NOON + 86_400)
    store.commit([unit(again)])
    assert find_key(store, "k") == again.order


def test_a_ping_of_a_healthy_database_says_nothing(store: Store) -> None:
    store.ping()
    assert last_position(store) == 0


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(LedgerError, match=r"^The ledger is closed\.$"):
        store.ping()
