"""An order becomes rows and comes back the same, on every database."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, NullPool, create_engine, event, func, select

from cafe.ledger.database import upgrade
from cafe.ledger.log import prune_some
from cafe.orders import queries
from cafe.orders.department import ORDERS
from cafe.orders.messages import PlacedQuery
from cafe.orders.order import Action, Basket, Change, Line, Order, Status
from cafe.orders.queries import (
    MOST_EVENTS,
    find_by_key,
    find_order,
    find_orders,
    list_placed,
    load_orders,
    read_histories,
    read_history,
)
from cafe.orders.tables import entry_of, line_rows, lines, order_of, orders, row_of
from tests.cafe.ledger.order_histories import (
    DONUT,
    LATTE,
    NOON,
    RowWriter,
    Tickets,
    basket,
    cancel,
    finish,
    start,
)
from tests.cafe.ledger.test_migrations import plans_of

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
cents = st.integers(0, 2**53 - 1)
maybe = st.none() | texts
sold = st.builds(Line, texts, maybe, texts, maybe, st.integers(1, 100), cents)
baskets = st.builds(
    Basket,
    texts,
    st.lists(sold, min_size=1, max_size=5).map(tuple),
    cents,
    texts,
    maybe,
    st.booleans(),
)
WAITING = Order("o", 7, "americano", None, "192.0.2.1", NOON)


@given(basket=st.none() | baskets, status=st.sampled_from(Status))
def test_a_conversion_loses_nothing(basket: Basket | None, status: Status) -> None:
    order = WAITING._replace(basket=basket, status=status)
    row = row_of(order)
    assert len(row) == len(orders.c)
    assert order_of(row, line_rows(order)) == order
    assert all(len(line) == len(lines.c) for line in line_rows(order))


def test_a_plain_order_s_event_changes_its_row_only_and_has_no_data() -> None:
    placed = Tickets().place()
    event, changes = entry_of(placed)
    assert event is not None
    assert (event.data, [change.table for change in changes]) == (None, [orders])


def test_lines_are_written_with_the_first_event_only() -> None:
    placed = Tickets().place(basket=basket())
    assert [change.table for change in entry_of(placed).changes] == [orders, lines, lines, lines]
    for change in (start(placed.order), cancel(placed.order)):
        assert [one.table for one in entry_of(change).changes] == [orders]


@pytest.fixture
def connection(durable_url: str) -> Generator[Connection]:
    upgrade(durable_url)
    with create_engine(durable_url, poolclass=NullPool).connect() as connection:
        yield connection


def test_every_query_returns_orders_with_their_lines_as_sold(connection: Connection) -> None:
    write, tickets = RowWriter(connection).write, Tickets()
    odd = LATTE._replace(name="Caffè “☕” %s :x", variation="O'Hara", quantity=100)
    live = write(tickets.place(basket=basket(odd, DONUT, odd), key="k"))
    write(tickets.place())
    paid = write(start(write(tickets.place(basket=basket(prepaid=True)))))
    ended = write(cancel(write(tickets.place(basket=basket(DONUT)))))
    snapshot = load_orders(connection)
    assert (snapshot.live[0], snapshot.live[2], snapshot.recent) == (live, paid, (ended,))
    assert find_order(connection, live.order_id) == live
    assert find_by_key(connection, "account:ada", "k", 0.0) == live
    assert find_by_key(connection, live.address, "k", 0.0) is None
    assert find_orders(connection, [ended.order_id, "none", paid.order_id]) == {
        ended.order_id: ended,
        paid.order_id: paid,
    }
    assert list_placed(connection, PlacedQuery()) == [ended, paid, live]
    assert read_histories(connection, NOON - 1, NOON + 1)[0].order == live
    (placed,) = read_history(connection, live.order_id, 0)
    assert placed.event == entry_of(Change(Action.PLACE, None, live, NOON)).event


def test_lines_of_many_orders_are_found_by_few_statements(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "AT_ONCE", 4)
    write, tickets = RowWriter(connection).write, Tickets()
    placed = [write(tickets.place(basket=basket())) for _ in range(9)]
    asked: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *of: asked.append(of[2]))
    assert load_orders(connection).live == tuple(placed)
    assert len([one for one in asked if "order_lines" in one]) == 3


def test_lists_are_found_by_indexes(connection: Connection) -> None:
    some = (Status.WAITING, Status.READY)
    for query in (PlacedQuery("ada"), PlacedQuery("ada", some, 7)):
        (plan,) = plans_of(connection, partial(list_placed, connection, query))
        assert "ix_orders_account_id" in plan
    for query in (PlacedQuery(), PlacedQuery(statuses=some), PlacedQuery(behind=7)):
        plans = plans_of(connection, partial(list_placed, connection, query))
        assert all("ix_orders_status" in plan for plan in plans)
        assert len(plans) == len(query.statuses or Status)


def test_a_page_has_one_more_than_is_wanted_and_goes_on_behind_a_number(
    connection: Connection,
) -> None:
    write, tickets = RowWriter(connection).write, Tickets()
    for number in range(6):
        order = write(tickets.place(basket=basket()))
        if number % 2:
            write(cancel(order))
    for account in (None, "ada"):
        query = PlacedQuery(account, behind=5, most=2)
        assert [one.number for one in list_placed(connection, query)] == [4, 3, 2]


def test_a_history_is_bounded_and_goes_on_behind_a_position(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_EVENTS == 500
    monkeypatch.setattr(queries, "MOST_EVENTS", 2)
    write = RowWriter(connection).write
    order = write(Tickets().place(basket=basket()))
    write(finish(write(start(order))))
    actions = [one.event.action for one in read_history(connection, order.order_id, 0)]
    assert actions == ["place", "start"]
    (last,) = read_history(connection, order.order_id, 2)
    assert (last.position, last.event.action) == (3, "finish")


def test_pruning_deletes_the_lines_of_old_orders(connection: Connection) -> None:
    write, tickets = RowWriter(connection).write, Tickets()
    write(cancel(write(tickets.place(basket=basket(), key="k")), action=Action.CUT_OFF))
    left = write(tickets.place(at=NOON + 500, basket=basket(DONUT)))
    assert prune_some(connection, ORDERS, NOON + 400, ()) == 1
    found = connection.execute(select(lines.c.order_id, lines.c.name)).all()
    assert [tuple(row) for row in found] == [(left.order_id, "Donuts")]
    assert connection.execute(select(func.count()).select_from(orders)).scalar_one() == 1
