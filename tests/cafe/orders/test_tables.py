"""An order becomes rows and comes back the same, on every database."""

from __future__ import annotations

import json
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
from cafe.orders.order import Action, Basket, Change, Destination, Line, Order, Status
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
from cafe.orders.tables import (
    destination_row,
    destinations,
    entry_of,
    keys,
    line_rows,
    lines,
    order_of,
    orders,
    row_of,
)
from tests.cafe.ledger.order_histories import (
    DONUT,
    HARBOUR,
    LATTE,
    NOON,
    RowWriter,
    Tickets,
    basket,
    call_off,
    cancel,
    finish,
    hand_over,
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
brought_to = st.none() | st.builds(Destination, texts, texts, maybe)
WAITING = Order("o", 7, "americano", None, "192.0.2.1", NOON)


@given(basket=st.none() | baskets, status=st.sampled_from(Status), destination=brought_to)
def test_a_conversion_loses_nothing(
    basket: Basket | None, status: Status, destination: Destination | None
) -> None:
    order = WAITING._replace(basket=basket, status=status, destination=destination)
    row, to = row_of(order), destination_row(order)
    assert len(row) == len(orders.c)
    assert order_of(row, line_rows(order), to) == order
    assert to is None or len(to) == len(destinations.c)
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


def test_a_destination_is_written_with_the_first_event_only_and_is_told_with_each() -> None:
    tickets = Tickets()
    of_basket = tickets.place(basket=basket(DONUT), key="k", destination=HARBOUR)
    tables = [change.table for change in entry_of(of_basket).changes]
    assert tables == [orders, lines, destinations, keys]
    published = tickets.publish()
    assert [one.table for one in entry_of(published).changes] == [orders, destinations]
    for change in (start(of_basket.order), hand_over(published.order), call_off(published.order)):
        assert [one.table for one in entry_of(change).changes] == [orders]
    to = {"district_id": "harbour", "district": "Harbour", "address": "1 Quay Street"}
    assert data_in(start(of_basket.order)) == {
        "number": 1,
        "account_id": "ada",
        "total_cents": 200,
        "destination": to,
    }
    assert data_in(call_off(published.order)) == {"number": 2, "destination": to}


def data_in(change: Change) -> object:
    """Return the data that followers get to know with a change."""
    event, _ = entry_of(change)
    assert event is not None
    return json.loads(event.data or "null")


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


def test_every_query_returns_orders_with_their_destination(connection: Connection) -> None:
    write, tickets = RowWriter(connection).write, Tickets()
    odd = HARBOUR._replace(district="Ñandú “☕” %s :x", address="1 O'Hara\tStreet\N{ZWJ}")
    live = write(tickets.place(basket=basket(DONUT), key="k", destination=odd))
    published = write(tickets.publish(destination=HARBOUR._replace(address=None)))
    brought = write(hand_over(write(tickets.publish(at=NOON + 1)), at=NOON + 2))
    snapshot = load_orders(connection)
    assert (snapshot.live, snapshot.recent) == ((live,), (published, brought))
    assert snapshot.brewing_seconds == ()
    for order in (live, published, brought):
        assert find_order(connection, order.order_id) == order
    assert find_by_key(connection, "account:ada", "k", 0.0) == live
    assert find_orders(connection, [brought.order_id]) == {brought.order_id: brought}
    assert list_placed(connection, PlacedQuery()) == [live]
    assert [one.order for one in read_histories(connection, NOON - 1, NOON + 9)] == [live]


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


def test_pruning_spares_what_a_courier_is_still_to_bring(connection: Connection) -> None:
    write, tickets = RowWriter(connection).write, Tickets()
    under_way = write(tickets.publish())
    write(hand_over(write(tickets.publish())))
    write(call_off(write(tickets.publish())))
    last = write(tickets.place(at=NOON + 500, basket=basket(DONUT)))
    assert prune_some(connection, ORDERS, NOON + 400, ()) == 2
    left = connection.execute(select(orders.c.order_id).order_by(orders.c.number)).scalars().all()
    assert left == [under_way.order_id, last.order_id]
    assert connection.execute(select(destinations.c.order_id)).scalars().all() == left[:1]
